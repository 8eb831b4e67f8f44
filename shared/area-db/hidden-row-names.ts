import { quoteText } from "../sqlite/connection.ts";

/** Names the rows that guard ids of moved runs from reuse. */
export const guardName = "mtjobs-id-guard";

/** Names the rows that keep ids of a new homehost apart from the old one's. */
export const gapName = "mtjobs-id-gap";

/**
 * `event_time` of these rows, seconds since 1970. Megatest deletes old hidden tests, so it is as far ahead as every
 * client can read.
 */
export const hiddenTime = 4_102_444_800;

/** For sites that reject times after 2038. Later times count as far ahead. */
export const nearerHiddenTime = 2_147_483_647;

/** `test_id` of these rows if a site requires one; no test has it. */
export const noTest = Number.MAX_SAFE_INTEGER;

const nameColumns: Readonly<Record<string, string>> = {
  runs: "runname",
  tests: "testname",
  test_steps: "stepname",
  test_data: "variable",
};

/** SQL: true for all rows except those so named; undefined for a table without such rows. */
export function notNamed(table: string, alias: string, ...names: readonly string[]): string | undefined {
  const column = nameColumns[table];
  if (column === undefined) return undefined;
  const other = names.map((name) => `${alias}.${column} IS NOT ${quoteText(name)}`).join(" AND ");
  return column === "runname" || column === "testname"
    ? other
    : `(coalesce(${alias}.test_id, ${noTest}) <> ${noTest} OR (${other}))`;
}

/** SQL: a step or datum with this name and no test. Can use an index. */
export const hiddenChild = (column: "stepname" | "variable", name: string): string =>
  `(test_id IS NULL OR test_id = ${noTest}) AND ${column} = ${quoteText(name)}`;

import { quoteText } from "./sqlite/connection.ts";

/** Runname and testname of the rows that keep ids of moved runs from being handed out again; step and variable, too. */
export const guardName = "mtjobs-id-guard";

/** The same of the rows that keep the ids of an area's new homehost apart from those of the old one. */
export const gapName = "mtjobs-id-gap";

/**
 * When these rows say that they began, seconds since 1970: Megatest deletes hidden tests by their age. As far ahead as a time
 * may be that every client can still read.
 */
export const hiddenTime = 4_102_444_800;

/**
 * The same for a site whose rows may say no time after 2038. What is at or after it counts as far ahead.
 */
export const nearerHiddenTime = 2_147_483_647;

/** What a step and a datum of these have for a test where a site lets no row have none: an id that no test ever gets. */
export const noTest = Number.MAX_SAFE_INTEGER;

/** Tables that have such a row, and the column that names it. */
const nameColumns: Readonly<Record<string, string>> = {
  runs: "runname",
  tests: "testname",
  test_steps: "stepname",
  test_data: "variable",
};

/** SQL that is true for all rows of a table but those named so; undefined for a table that has none. */
export function notNamed(table: string, alias: string, ...names: readonly string[]): string | undefined {
  const column = nameColumns[table];
  if (column === undefined) return undefined;
  const other = names.map((name) => `${alias}.${column} IS NOT ${quoteText(name)}`).join(" AND ");
  // A step or a datum of a test may be named as it likes.
  return column === "runname" || column === "testname"
    ? other
    : `(coalesce(${alias}.test_id, ${noTest}) <> ${noTest} OR (${other}))`;
}

/** SQL: a step or a datum that is named so, and is of no test. An index serves it. */
export const hiddenChild = (column: "stepname" | "variable", name: string): string =>
  `(test_id IS NULL OR test_id = ${noTest}) AND ${column} = ${quoteText(name)}`;

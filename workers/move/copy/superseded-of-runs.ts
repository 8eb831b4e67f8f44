import { type RecordShape, recordShapes } from "../../../shared/area-db/record-tables.ts";
import { prepared } from "../../../shared/sqlite/connection.ts";
import { idList } from "../../../shared/sqlite/ids.ts";
import { isIdText } from "../../../shared/sqlite/run-id.ts";
import { namesOf, splitLiterals } from "../ids/kept-version.ts";
import type { JobSession } from "../session/job-session.ts";

/** Versions read in one statement. */
const chunk = 2_000;

interface Version {
  id: bigint;
  table: string;
  row: bigint | null;
  columns: string;
  values: string;
}

/**
 * Returns the ids in `mtjobs_superseded` of the versions that belong to runs of completed-runs.db, or of an export, by
 * run. A version names its parent in its own values, because its record may have another id now. Steps and data of a
 * test whose id means tests of several runs belong to none, and so do the versions of these tests: they stay.
 */
export async function supersededOfRuns(
  session: JobSession,
  part: "completed" | "export" = "completed",
): Promise<Map<bigint, bigint[]>> {
  const { db } = session;
  const shapes = new Map(recordShapes.map((shape) => [shape.table as string, shape]));
  const read = () =>
    prepared<[bigint, bigint], Version>(
      db,
      `SELECT id, table_name AS "table", row_id AS row, columns, row AS "values" FROM ${part}.mtjobs_superseded
       WHERE id BETWEEN ? AND ?`,
    ).safeIntegers();
  const byRun = new Map<bigint, bigint[]>();
  const ofTests: [version: bigint, test: bigint][] = [];
  /** Versions of tests with the runs that they name: a test may be only there, and its id given out again. */
  const tests: [version: bigint, test: bigint, run: bigint][] = [];
  const add = (run: bigint, version: bigint) => {
    const known = byRun.get(run);
    if (known === undefined) byRun.set(run, [version]);
    else known.push(version);
  };
  for await (const range of session.idRanges(`${part}.mtjobs_superseded`, chunk)) {
    for (const version of await session.read(() => read().all(...range))) {
      const shape = shapes.get(version.table);
      const parent = shape === undefined ? undefined : parentOf(version, shape);
      if (parent === undefined) continue;
      if (shape?.parent === "test_id") ofTests.push([version.id, parent]);
      else if (shape?.table === "tests" && version.row !== null)
        tests.push([version.id, version.row, parent]);
      else add(parent, version.id);
    }
  }
  const withChildren = new Set(ofTests.map(([, test]) => test));
  const runsOf = runsByTest(tests, await runsOfTests(session, part, [...withChildren]));
  const isAmbiguous = (test: bigint) => withChildren.has(test) && (runsOf.get(test)?.size ?? 0) > 1;
  for (const [version, test] of ofTests) {
    const [run] = runsOf.get(test) ?? [];
    if (run !== undefined && !isAmbiguous(test)) add(run, version);
  }
  // They tell that the steps and data are ambiguous.
  for (const [version, test, run] of tests) if (!isAmbiguous(test)) add(run, version);
  return byRun;
}

/** Returns the runs that have, or had, a test of each id. */
function runsByTest(
  tests: readonly (readonly [version: bigint, test: bigint, run: bigint])[],
  current: readonly (readonly [test: bigint, run: bigint])[],
): Map<bigint, Set<bigint>> {
  const runs = new Map<bigint, Set<bigint>>();
  const note = (test: bigint, run: bigint) => runs.set(test, (runs.get(test) ?? new Set()).add(run));
  for (const [, test, run] of tests) note(test, run);
  for (const [test, run] of current) note(test, run);
  return runs;
}

/** Returns the id of the run, or of the test, that a version belongs to. */
function parentOf({ row, columns, values }: Version, { parent }: RecordShape): bigint | undefined {
  const names = namesOf(columns);
  if (names === undefined) return undefined;
  if (parent === null) return row ?? undefined;
  const at = names.indexOf(parent);
  const literal = (at < 0 ? undefined : splitLiterals(values)[at]) ?? "";
  return isIdText(literal) ? BigInt(literal) : undefined;
}

/** Returns ids of tests with the runs that have them; of completed-runs.db's also where Megatest has them. */
async function runsOfTests(
  session: JobSession,
  part: "completed" | "export",
  tests: readonly bigint[],
): Promise<[test: bigint, run: bigint][]> {
  const found: [bigint, bigint][] = [];
  for (const each of part === "export" ? [part] : [part, ...session.sources]) {
    const read = () =>
      prepared<[string], [bigint, bigint]>(
        session.db,
        `SELECT t.id, t.run_id FROM json_each(?) AS j CROSS JOIN ${each}.tests AS t ON t.id = j.value
         WHERE typeof(t.run_id) = 'integer'`,
      )
        .safeIntegers()
        .raw();
    for (let from = 0; from < tests.length; from += chunk) {
      const ids = idList(tests.slice(from, from + chunk));
      for (const row of await session.read(() => read().all(ids))) found.push(row);
    }
  }
  return found;
}

/** SQL: the versions with these ids; the parameter is a JSON array. */
export const chosenVersions = "id IN (SELECT value FROM json_each(?))";

/** Deletes versions kept as superseded, some at a time. */
export async function deleteSuperseded(session: JobSession, versions: readonly bigint[]): Promise<void> {
  const { db } = session;
  for (let from = 0; from < versions.length; from += chunk) {
    const ids = idList(versions.slice(from, from + chunk));
    await session.commit("completed", () =>
      prepared(db, `DELETE FROM completed.mtjobs_superseded WHERE ${chosenVersions}`).run(ids),
    );
  }
}

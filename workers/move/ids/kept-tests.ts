import { type Connection, prepared } from "../../../shared/sqlite/connection.ts";
import { preparedIds } from "../../../shared/sqlite/ids.ts";
import type { Source } from "../../area-db/databases.ts";
import { planOf } from "../../records/record-session.ts";
import { lastKept } from "../../records/superseded.ts";
import type { JobSession } from "../session/job-session.ts";
import { type KeptVersion, underNewIds } from "./kept-version.ts";
import { nameIn, namesAt } from "./name-of-version.ts";
import type { NewIds } from "./renumber-versions.ts";

// Tests that completed-runs.db has only as versions: they lost to a test of the same name, and their steps and data are
// kept with them. Their ids can be reused like those of moved rows.

/** Versions read in one statement. */
const chunk = 1_000;

/** SQL: the run of a version `p` of a test, which is the first value that the sync carries. */
const runOf = "CAST(p.carried AS INTEGER)";

/** SQL: the run of the test of that id that is only kept; NULL if there is none. */
export const runOfKeptTest = (test: string): string =>
  `(SELECT ${runOf} FROM completed.mtjobs_superseded AS p WHERE p.table_name = 'tests' AND p.row_id = ${test})`;

/** By run, as of the version with the highest id then. */
const known = new WeakMap<Connection, { upTo: bigint; tests: ReadonlyMap<bigint, readonly bigint[]> }>();

/** Returns the tests of a run that are only kept. Reads all versions of tests once for as long as none is added. */
export function keptTestsOf(db: Connection, run: bigint): readonly bigint[] {
  const upTo = lastKept(db);
  let found = known.get(db);
  if (found?.upTo !== upTo) {
    found = { upTo, tests: readKeptTests(db) };
    known.set(db, found);
  }
  return found.tests.get(run) ?? [];
}

function readKeptTests(db: Connection): Map<bigint, bigint[]> {
  const rows = prepared<[], [run: bigint, test: bigint]>(
    db,
    `SELECT DISTINCT ${runOf}, p.row_id FROM completed.mtjobs_superseded AS p
     WHERE p.table_name = 'tests' AND p.row_id IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM completed.tests AS d WHERE d.id = p.row_id)`,
  )
    .safeIntegers()
    .raw()
    .all();
  const tests = new Map<bigint, bigint[]>();
  for (const [run, test] of rows) {
    const ofRun = tests.get(run);
    if (ofRun === undefined) tests.set(run, [test]);
    else ofRun.push(test);
  }
  return tests;
}

/**
 * Adds those of `runs` to `temp.batch_tests`: steps and data still come for them. Not if Megatest has a test of that id:
 * then they are that one's.
 */
export function gatherKeptTests(db: Connection, part: Source, runs: readonly bigint[]): void {
  const add = prepared<[bigint, bigint]>(
    db,
    "INSERT OR IGNORE INTO temp.batch_tests (run_id, id) VALUES (?, ?)",
  );
  for (const run of runs)
    for (const test of keptTestsOf(db, run)) if (!isTestIn(db, part, test)) add.run(run, test);
}

/** A statement of its own: it locks the source for a moment. */
export function isTestIn(db: Connection, part: Source, test: bigint): boolean {
  return prepared<[bigint], number>(db, `SELECT 1 FROM ${part}.tests WHERE id = ?`).get(test) !== undefined;
}

/** Ids of tests that are only kept, with what the sources' tests under these ids are called. */
export type SharedKeptTests = ReadonlyMap<bigint, ReadonlySet<string>>;

/** Returns those whose ids a source has, too: for another test, or for the same one after a restore or a dead job. */
export async function sharedKeptTests(session: JobSession): Promise<SharedKeptTests> {
  const inSource = session.sources.map(
    (part) => `EXISTS (SELECT 1 FROM ${part}.tests AS x WHERE x.id = p.row_id)`,
  );
  const read = () =>
    preparedIds<[bigint, bigint]>(
      session.db,
      // A plus sign: by the index on the row, each statement would read the versions of all tests.
      `SELECT DISTINCT p.row_id FROM completed.mtjobs_superseded AS p
       WHERE p.id BETWEEN ? AND ? AND +p.table_name = 'tests' AND (${inSource.join(" OR ")})
         AND NOT EXISTS (SELECT 1 FROM completed.tests AS d WHERE d.id = p.row_id)`,
    );
  const plan = planOf(session, "tests");
  const found = new Map<bigint, ReadonlySet<string>>();
  for await (const range of session.idRanges("completed.mtjobs_superseded", chunk)) {
    for (const id of await session.read(() => read().all(...range))) {
      const names = () => session.sources.flatMap((part) => namesAt(session, part, plan, id));
      if (!found.has(id)) found.set(id, new Set(await session.read(names)));
    }
  }
  return found;
}

/** Returns those that another test has in a source. @param newIds of moved runs, whose tests they may be */
export function reusedKeptTests(
  session: JobSession,
  tests: SharedKeptTests,
  newIds: Pick<NewIds, "runs">,
): bigint[] {
  const plan = planOf(session, "tests");
  const read = prepared<[bigint], KeptVersion>(
    session.db,
    `SELECT id, table_name, row_id, columns, row, carried FROM completed.mtjobs_superseded
     WHERE table_name = 'tests' AND row_id = ?`,
  ).safeIntegers();
  return [...tests]
    .filter(([test, names]) =>
      read.all(test).some((version) => {
        const { row } = underNewIds(version, (table, id) =>
          table === "runs" ? (newIds.runs.get(id) ?? id) : id,
        );
        const name = nameIn(plan, version.columns, row);
        return name !== undefined && !names.has(name);
      }),
    )
    .map(([test]) => test);
}

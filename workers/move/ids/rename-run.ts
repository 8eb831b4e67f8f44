import {
  type Connection,
  isConstraintError,
  type Part,
  prepared,
  quoteText,
} from "../../../shared/sqlite/connection.ts";
import {
  directoryColumns,
  formerDirectoryMark,
  namesDirectory,
} from "../../../shared/sqlite/former-directory.ts";
import { NameSet } from "../../../shared/sqlite/names.ts";
import { columnNames } from "../../../shared/sqlite/table.ts";
import { emptyCopy, isConstrained } from "../../../shared/sqlite/table-copy.ts";
import { withoutAnyTriggers } from "../../../shared/sqlite/triggers.ts";
import { plural } from "../../../shared/text.ts";
import { labelOf, type Run } from "../../area-db/run.ts";
import { planOf } from "../../records/record-session.ts";
import { columnList, sameRow } from "../../records/row-sql.ts";
import type { JobSession } from "../session/job-session.ts";

/** Common part of the names that `renameRun` gives. */
const suffix = ".restored";

/**
 * Gives a moved run the first free name of `<name>.restored`, `<name>.restored-2`, …, and marks the directories of
 * its tests as former ones: they belong to the run that has its name now. A dry run only reports it. Returns
 * undefined if a constraint of the site forbids it: the run is tallied as skipped.
 */
export async function renameRun(session: JobSession, run: Run): Promise<Run | undefined> {
  const { context } = session;
  const renamed = await session.read(() => {
    let runname = `${run.runname}${suffix}`;
    for (let count = 2; isTaken(session, run.id, runname); count++)
      runname = `${run.runname}${suffix}-${count}`;
    const marked = changeIfAllowed(session, run, runname);
    return { named: { ...run, runname, previousRunname: run.runname }, marked };
  });
  const { named, marked } = renamed;
  if (marked === undefined) return undefined;
  if (session.token !== 0) context.failpoint("renamed");
  warn(session, named, marked);
  return named;
}

/**
 * Marks the directories of a run with such a name, which an earlier version of this program did not mark. Directories
 * with the run's name in their path are its own, from tests that ran again.
 */
export async function markForeignDirectories(session: JobSession, run: Run): Promise<Run | undefined> {
  if (!run.runname.includes(suffix)) return run;
  const marked = await session.read(() => changeIfAllowed(session, run, null));
  if (marked === undefined) return undefined;
  if (marked > 0) warn(session, run, marked);
  return run;
}

function changeIfAllowed(session: JobSession, run: Run, runname: string | null): number | undefined {
  try {
    return change(session, run.id, runname);
  } catch (error) {
    if (!isConstraintError(error)) throw error;
    const { tally, files } = session;
    tally.skip(labelOf(run), "conflict");
    tally.warn(
      `run ${run.id} (${run.target}/${run.runname}) stays: ${files.completed} rejects it with ${runname === null ? "" : `the name ${runname}, and `}${formerDirectoryMark}<directory> as directories (${error.message})`,
    );
    return undefined;
  }
}

/**
 * Renames the run and marks all directories, since none can belong to a name that was free. Without a name it marks
 * those whose paths lack the run's name. Returns the number of tests with one.
 */
function change(session: JobSession, run: bigint, runname: string | null): number {
  const { db, token } = session;
  const marking = markingOf(session, runname);
  if (token === 0) {
    if (isConstrained(db, "completed", ["runs", "tests"])) tryOnCopy(db, run, marking);
    return marking.count(db, "completed", run);
  }
  return session.commitOnce("completed", () =>
    withoutAnyTriggers(db, "completed", () => marking.apply(db, "completed", run)),
  );
}

interface Marking {
  /** Counts tests with a directory to mark. */
  count(db: Connection, part: Part | "main", run: bigint): number;
  apply(db: Connection, part: Part | "main", run: bigint): number;
}

function markingOf(session: JobSession, runname: string | null): Marking {
  const present = new NameSet(planOf(session, "tests").columnsIn("completed"));
  const columns = directoryColumns.filter((column) => present.has(column));
  const isForeign = (part: string, column: string) =>
    `(${namesDirectory(column)} AND (:runname IS NOT NULL
       OR instr(${column} || '/', '/' || (SELECT runname FROM ${part}.runs WHERE id = :run) || '/') = 0))`;
  const which = (part: string) =>
    `run_id = :run AND (${columns.map((column) => isForeign(part, column)).join(" OR ") || "0"})`;
  const count: Marking["count"] = (db, part, run) =>
    prepared<{ run: bigint; runname: string | null }, number>(
      db,
      `SELECT count(*) FROM ${part}.tests WHERE ${which(part)}`,
    )
      .pluck()
      .get({ run, runname }) ?? 0;
  const apply: Marking["apply"] = (db, part, run) => {
    if (runname !== null) prepared(db, `UPDATE ${part}.runs SET runname = ? WHERE id = ?`).run(runname, run);
    const tests = count(db, part, run);
    if (tests === 0) return 0;
    const marked = columns.map(
      (column) =>
        `${column} = CASE WHEN ${isForeign(part, column)} THEN ${quoteText(formerDirectoryMark)} || ${column} ELSE ${column} END`,
    );
    prepared(db, `UPDATE ${part}.tests SET ${marked.join(", ")} WHERE ${which(part)}`).run({ run, runname });
    return tests;
  };
  return { count, apply };
}

/** Tries a dry run's change in memory. Throws what the change would. */
function tryOnCopy(db: Connection, run: bigint, marking: Marking): void {
  const copy = emptyCopy(db, "completed", ["runs", "tests"]);
  try {
    for (const [table, where] of [
      ["runs", "id = ?"],
      ["tests", "run_id = ?"],
    ] as const) {
      const columns = columnNames(db, "completed", table);
      const insert = copy.prepare(
        `INSERT INTO main.${table} (${columnList(columns)}) VALUES (${columns.map(() => "?").join(", ")})`,
      );
      const rows = db.prepare<[bigint], unknown[]>(
        `SELECT ${columnList(columns)} FROM completed.${table} WHERE ${where}`,
      );
      for (const row of rows.safeIntegers().raw().iterate(run)) insert.run(...row);
    }
    marking.apply(copy, "main", run);
  } finally {
    copy.close();
  }
}

function warn({ tally, token }: JobSession, { id, target, runname }: Run, tests: number): void {
  if (tests === 0) return;
  const [named, become] = token === 0 ? ["would name", "would become"] : ["named", "became"];
  tally.warn(
    `run ${id} (${target}/${runname}): ${plural(tests, "test")} ${named} directories of the run that now has its old name; rundir and shortdir ${become} ${formerDirectoryMark}<directory>, so that -remove-runs removes nothing there`,
  );
}

function isTaken(session: JobSession, run: bigint, runname: string): boolean {
  return [...session.sources, "completed"].some(
    (part) =>
      prepared<[string, bigint], number>(
        session.db,
        `SELECT EXISTS (SELECT 1 FROM ${part}.runs AS o CROSS JOIN completed.runs AS r
           WHERE o.runname = ? AND r.id = ? AND ${sameRow("o", "r", session.keys)})`,
      )
        .pluck()
        .get(runname, run) === 1,
  );
}

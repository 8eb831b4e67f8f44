import { isIdentified, type RecordShape } from "../../shared/area-db/record-tables.ts";
import { prepared, quoteName } from "../../shared/sqlite/connection.ts";
import { type IdRange, lastOfNext, preparedIds } from "../../shared/sqlite/ids.ts";
import { NameSet } from "../../shared/sqlite/names.ts";
import { columnNames, hasTable } from "../../shared/sqlite/table.ts";
import { withoutTriggers } from "../../shared/sqlite/triggers.ts";
import { labelOf, type Run } from "../area-db/run.ts";
import { resolveArchiveBlocks, stageArchiveBlocks } from "../move/copy/archive-blocks.ts";
import { verifyCopy } from "../move/copy/commit-copy.ts";
import { insertStage } from "../move/copy/insert-staged.ts";
import { guardAgain } from "../move/ids/id-guards.ts";
import { recordRuns, runRows, tallyRuns } from "../move/run-accounting.ts";
import { isBack } from "../move/select/find-late-rows.ts";
import type { JobSession } from "../move/session/job-session.ts";
import { planOf } from "../records/record-session.ts";
import type { RecordPlan } from "../records/record-tables.ts";
import { columnList, sameName, sameRow } from "../records/row-sql.ts";
import { clearTempTables } from "../records/temp-tables.ts";
import { newIdOf, prepareIds } from "./import-ids.ts";
import { addVersions } from "./import-versions.ts";
import type { ExportFacts } from "./read-export.ts";
import { keepLease } from "./write-export.ts";

/** Tests copied in one commit. */
const chunk = 1_000;

/** Reports what an import would do. */
export async function rehearseImport(session: JobSession, facts: ExportFacts): Promise<void> {
  const { db, tally, records } = session;
  if (await session.read(() => isNameTaken(session))) {
    tally.skip(labelOf({ ...facts, exportFile: undefined }), "conflict");
    return;
  }
  for (const { table } of records) {
    if (table === "runs" || !hasTable(db, "export", table)) continue;
    tally.moved[table] += prepared<[], number>(db, `SELECT count(*) FROM export.${table}`).pluck().get() ?? 0;
  }
  tally.movedRun(facts);
}

/** Copies the run of the attached export into completed-runs.db, where it counts as moved from the last commit on. */
export async function importFrom(
  session: JobSession,
  facts: ExportFacts,
  isOfThisArea: boolean,
): Promise<void> {
  const { db, tally } = session;
  if (await session.read(() => isNameTaken(session))) {
    tally.skip(labelOf({ ...facts, exportFile: undefined }), "conflict");
    return;
  }
  await prepareIds(session, isOfThisArea);
  const id = await session.read(() =>
    preparedIds<[]>(db, `SELECT ${newIdOf("runs", "r.id")} FROM export.runs AS r`).get(),
  );
  if (id === undefined) throw new TypeError("an export without a run");
  const copy = (range: IdRange | undefined) => copyPiece(session, { run: id, tests: range });
  await copy(undefined);
  for await (const range of testRanges(session)) {
    await copy(range);
    await keepLease(session);
  }
  await guardAgain(session);
  await commitImported(session, { ...facts, id, previousId: id === facts.id ? undefined : facts.id });
}

/** Also by a run of the same beginning whose target has the same gaps: to UNIQUE, NULL equals nothing. */
function isNameTaken(session: JobSession): boolean {
  const name = planOf(session, "runs").naturalKey;
  const taken = `${sameName("x", "e", name)} OR (${sameRow("x", "e", [...name, "event_time"])})`;
  return [...session.sources, "completed"].some(
    (part) =>
      prepared<[], number>(
        session.db,
        `SELECT EXISTS (SELECT 1 FROM export.runs AS e CROSS JOIN ${part}.runs AS x ON ${taken})`,
      )
        .pluck()
        .get() === 1,
  );
}

function testRanges(session: JobSession): AsyncGenerator<IdRange> {
  return session.idRangesBy((from) =>
    preparedIds<[bigint], bigint | null>(session.db, lastOfNext("export.tests", chunk)).get(from),
  );
}

/** Copies the run's row and what belongs to it directly, or the tests of a range; compares what it copied. */
async function copyPiece(
  session: JobSession,
  { run, tests }: { run: bigint; tests: IdRange | undefined },
): Promise<void> {
  const { db, records, context } = session;
  await session.read(() => {
    clearTempTables(db, ...records.map(({ table }) => `stage_${table}`));
    for (const record of records) stage(session, record, tests);
    const archives =
      tests !== undefined &&
      planOf(session, "tests").columnsIn("completed").includes("archived") &&
      stageArchiveBlocks(db, ["export"], "temp.stage_tests");
    session.commitPatiently("completed", () => {
      prepared(
        db,
        "INSERT OR IGNORE INTO completed.mtjobs_runs (run_id, state, job_id, changed_at) VALUES (?, 'importing', ?, ?)",
      ).run(run, context.jobId, Date.now());
      withoutTriggers(db, "completed", () => {
        if (archives) resolveArchiveBlocks(db);
        insertStage(session);
      });
      if (tests !== undefined) copyArchived(session, tests);
    });
  });
  await session.read(() => verifyCopy(session));
  context.failpoint("import-copied");
}

/** Fills `temp.stage_<table>` with rows of the export, under the ids that they get. */
function stage({ db }: JobSession, record: RecordPlan, tests: IdRange | undefined): void {
  const { table, parent, synced } = record;
  const isOfTests = table === "tests" || parent === "test_id";
  if (isOfTests !== (tests !== undefined)) return;
  const there = new NameSet(columnNames(db, "export", table));
  const columns = record.columnsIn("completed").filter((name) => there.has(name));
  if (columns.length === 0) return;
  const values = columns.map((name) => exportedValue(record, name));
  const where = isOfTests ? `${table === "tests" ? "e.id" : "e.test_id"} BETWEEN ? AND ?` : "1";
  prepared<bigint[]>(
    db,
    `INSERT INTO temp.stage_${table} (${synced ? "" : "mtjobs_row, "}${columnList(columns)})
     SELECT ${synced ? "" : "e.id, "}${values.join(", ")} FROM export.${table} AS e WHERE ${where}`,
  ).run(...(tests ?? []));
}

function exportedValue({ table, parent }: RecordShape, name: string): string {
  if (name === "id" && isIdentified(table)) return newIdOf(table, "e.id");
  if (name === parent) return newIdOf(parent === "run_id" ? "runs" : "tests", `e.${parent}`);
  return `e.${quoteName(name)}`;
}

/** Keeps what `tests.archived` was before its block took another id. */
function copyArchived({ db }: JobSession, tests: IdRange): void {
  prepared<bigint[]>(
    db,
    `INSERT OR REPLACE INTO completed.mtjobs_archived (test_id, original)
     SELECT ${newIdOf("tests", "a.test_id")}, a.original FROM export.mtjobs_archived AS a
     WHERE a.test_id BETWEEN ? AND ?`,
  ).run(...tests);
}

/**
 * Commits that the run counts, with the versions kept of its rows. If rows were reported for it while it was purged,
 * the next job looks at all steps and data: earlier ones passed these, since nothing told that they are of a moved run.
 */
async function commitImported(session: JobSession, run: Run): Promise<void> {
  const { db, context } = session;
  const rows = await session.read(() => runRows(session, [run.id]));
  const isReported = await isBack(session, run.id);
  const now = Date.now();
  await session.commit("completed", () => {
    prepared(
      db,
      `UPDATE completed.mtjobs_runs SET (state, job_id, changed_at, looked_at) =
         ('moved', coalesce((SELECT e.job_id FROM export.mtjobs_runs AS e), job_id),
          coalesce((SELECT e.changed_at FROM export.mtjobs_runs AS e), changed_at), ?)
       WHERE run_id = ?`,
    ).run(now, run.id);
    if (isReported) db.exec("DELETE FROM completed.mtjobs_seen");
    prepared(
      db,
      "INSERT INTO completed.mtjobs_renumbered SELECT table_name, old_id, new_id, ?, ? FROM temp.import_ids",
    ).run(context.jobId, now);
    addVersions(session);
    recordRuns(session, "import", [run], rows);
  });
  tallyRuns(session, "import", [run], rows);
  context.failpoint("imported");
}

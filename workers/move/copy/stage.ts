import { type Connection, prepared, quoteText } from "../../../shared/sqlite/connection.ts";
import { rowsOfSlice } from "../../records/child-index.ts";
import { plansBy } from "../../records/record-session.ts";
import type { RecordPlan } from "../../records/record-tables.ts";
import { columnList, sameName, sameRow } from "../../records/row-sql.ts";
import { clearTempTables } from "../../records/temp-tables.ts";
import type { JobSession } from "../session/job-session.ts";
import { enterSlice, type Slice } from "../slices/slices.ts";
import { readSources } from "./read-sources.ts";
import { recordChildrenOf, recordLosingVersions } from "./stage-superseded.ts";
import { stageUnsynced } from "./stage-unsynced.ts";

/** Empties the stage. */
export function clearStage({ db, records }: JobSession): void {
  clearTempTables(db, "superseded", ...records.map(({ table }) => `stage_${table}`));
}

/**
 * Adds the freshest version of a slice's rows to `temp.stage_<table>`, and the losing versions to `temp.superseded`.
 * Every statement reads one slice; no lock lasts between them.
 *
 * The newer side is judged with the ref as the common ancestor of cache and megatest.db.
 *
 * @returns the work done, in ordinary tests
 */
export async function stageSlice(session: JobSession, slice: Slice): Promise<number> {
  const { db } = session;
  const tests = enterSlice(db, slice);
  clearTempTables(db, "differing");
  if (slice.rows !== undefined && "table" in slice.rows && !isTestStaged(db)) {
    // Its test lost when its own row was staged, in an earlier slice.
    await recordChildrenOf(session, "SELECT id FROM temp.slice_tests");
    return tests;
  }
  // Parents first: a losing test of megatest.db takes its children with it.
  for (const parent of [null, "run_id", "test_id"] as const) {
    for (const record of plansBy(session, parent, true)) await stageSynced(session, record);
  }
  for (const record of session.records.filter(({ synced }) => !synced)) await stageUnsynced(session, record);
  session.batchSize.settle(tests);
  return tests;
}

async function stageSynced(session: JobSession, record: RecordPlan): Promise<void> {
  const { fresh } = session;
  const columns = record.columnsIn(fresh);
  // Ids were gathered from megatest.db, too: by now one may be the id of another run's test.
  const ofBatch = record.table === "tests" ? " AND c.run_id IN (SELECT id FROM temp.batch_runs)" : "";
  if (columns.length > 0) {
    await readSources(
      session,
      `INSERT OR IGNORE INTO temp.stage_${record.table} (${columnList(columns)})
       SELECT ${columnList(columns, "c")} FROM ${rowsOfSlice(fresh, record, "c")}${ofBatch}`,
    );
  }
  if (fresh === "area") return;
  await takeOwnColumns(session, record);
  if ((await findDiffering(session, record)) === 0) return;
  await recordLosingVersions(session, record);
  await takeNewer(session, record);
}

/** Stages the columns that only megatest.db has. */
async function takeOwnColumns(session: JobSession, record: RecordPlan): Promise<void> {
  const { table } = record;
  const cached = record.columnsIn("cache");
  const own = record.columnsIn("area").filter((name) => !cached.includes(name));
  if (own.length === 0) return;
  await readSources(
    session,
    `UPDATE temp.stage_${table} AS c SET (${columnList(own)}) =
       (SELECT ${columnList(own, "m")} FROM area.${table} AS m WHERE m.id = c.id)
     WHERE EXISTS (SELECT 1 FROM area.${table} AS m WHERE m.id = c.id)`,
  );
}

/**
 * Compares megatest.db's rows of the slice with those staged from the cache; returns how many differ. Cache and ref
 * are read only for these few rows, since a commit may lock either.
 */
async function findDiffering(session: JobSession, record: RecordPlan): Promise<number> {
  const { table } = record;
  const differs = `(c.id IS NULL OR NOT (${sameRow("c", "m", record.carried("cache", "area"), record.mixed)}))`;
  const found = await readSources(
    session,
    `INSERT OR IGNORE INTO temp.differing (table_name, id)
       SELECT ${quoteText(table)}, m.id FROM ${rowsOfSlice("area", record, "m")} LEFT JOIN temp.stage_${table} AS c ON c.id = m.id
       WHERE ${differs}`,
  );
  if (found === 0) return 0;
  await readSources(
    session,
    `UPDATE temp.differing AS f SET winner = (SELECT CASE
         WHEN c.id IS NOT NULL THEN CASE WHEN ${areaIsNewer(session, record)} THEN 'area' ELSE 'cache' END
         WHEN ${standsElsewhereInCache(record)} THEN 'none'
         ELSE 'alone' END
       FROM area.${table} AS m LEFT JOIN temp.stage_${table} AS c ON c.id = m.id WHERE m.id = f.id AND ${differs})
     WHERE f.table_name = ${quoteText(table)}`,
  );
  // Ignore rows that were removed or made equal since.
  const gone = prepared(session.db, "DELETE FROM temp.differing WHERE winner IS NULL").run();
  return found - gone.changes;
}

/**
 * SQL: if cache (`c`) and ref agree, megatest.db (`m`) has changed only if its last_update is later than the ref's:
 * both are times of syncs, and a sync killed between the two leaves megatest.db behind.
 */
function areaIsNewer(session: JobSession, record: RecordPlan): string {
  const timed = (["ref", "area"] as const).every((part) => record.columnsIn(part).includes("last_update"));
  if (!session.sources.includes("ref") || !timed) return "0";
  return `EXISTS (SELECT 1 FROM ref.${record.table} AS r WHERE r.id = c.id
    AND ${sameRow("c", "r", record.carried("cache", "ref"), record.mixed)} AND m.last_update > r.last_update)`;
}

/**
 * SQL: the cache holds megatest.db's row in another form: its id under another parent, or its name under another id.
 * Megatest's sync would replace it.
 */
function standsElsewhereInCache(record: RecordPlan): string {
  return `EXISTS (SELECT 1 FROM cache.${record.table} AS n WHERE n.id = m.id)
    OR EXISTS (SELECT 1 FROM cache.${record.table} AS n WHERE ${sameName("n", "m", record.naturalKey)})`;
}

/** Stages what is newer in megatest.db: carried columns, and rows that only it has. */
async function takeNewer(session: JobSession, record: RecordPlan): Promise<void> {
  const { table } = record;
  const chosen = (winner: string) =>
    `(SELECT id FROM temp.differing WHERE table_name = ${quoteText(table)} AND winner = ${quoteText(winner)})`;
  const carried = record.carried("cache", "area");
  await readSources(
    session,
    `UPDATE temp.stage_${table} SET (${columnList(carried)}) =
       (SELECT ${columnList(carried, "m")} FROM area.${table} AS m WHERE m.id = stage_${table}.id)
     WHERE id IN ${chosen("area")}`,
  );
  const columns = record.columnsIn("area");
  await readSources(
    session,
    `INSERT INTO temp.stage_${table} (${columnList(columns)})
     SELECT ${columnList(columns, "m")} FROM area.${table} AS m WHERE m.id IN ${chosen("alone")}`,
  );
}

const isTestStaged = (db: Connection) =>
  prepared(db, "SELECT EXISTS (SELECT 1 FROM temp.slice_tests JOIN temp.stage_tests USING (id))")
    .pluck()
    .get() === 1;

import { performance } from "node:perf_hooks";
import { type Connection, prepared, quoteName, quoteText } from "../../../shared/sqlite/connection.ts";
import type { Source } from "../../area-db/databases.ts";
import { rowsOfSlice } from "../../records/child-index.ts";
import { isUnsynced } from "../../records/differing-rows.ts";
import { plansBy } from "../../records/record-session.ts";
import type { RecordPlan } from "../../records/record-tables.ts";
import { columnList, rowLiteral, sameName, sameRow } from "../../records/row-sql.ts";
import { clearTempTables } from "../../records/temp-tables.ts";
import { partnersOf, unmatchedRows } from "../../records/unsynced-rows.ts";
import type { JobSession } from "../session/job-session.ts";
import { enterSlice, type Slice } from "../slices/slices.ts";

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
  await recordSuperseded(session, record);
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

/** Keeps each losing version: the cache's if megatest.db is newer, else megatest.db's. */
async function recordSuperseded(session: JobSession, record: RecordPlan): Promise<void> {
  const which = [
    ["area", "cache", "newer in megatest.db"],
    ["cache", "area", "newer in the cache"],
    ["none", "area", "replaced in the cache under another id"],
  ] as const;
  for (const [winner, superseded, reason] of which)
    await recordVersions(session, record, { winner, superseded, reason });
  if (record.table === "tests") await recordReplacedChildren(session);
}

interface Superseded {
  winner: "area" | "cache" | "none";
  superseded: Source;
  reason: string;
}

async function recordVersions(
  session: JobSession,
  record: RecordPlan,
  { winner, superseded: part, reason }: Superseded,
): Promise<void> {
  const columns = record.columnsIn(part);
  await readSources(
    session,
    `INSERT INTO temp.superseded (table_name, row_id, source, reason, columns, row, carried, unsynced, parent)
       SELECT ${quoteText(record.table)}, x.id, ${quoteText(part)}, ?, ?, ${rowLiteral("x", columns)},
         ${rowLiteral("x", record.carried(part, "completed"))},
         ${winner === "cache" ? isUnsynced(session, record, part) : "0"}, ${record.synced || record.parent === null ? "NULL" : `x.${record.parent}`}
       FROM temp.differing AS f CROSS JOIN ${part}.${record.table} AS x ON x.id = f.id
       WHERE f.table_name = ${quoteText(record.table)} AND f.winner = ${quoteText(winner)}`,
    reason,
    JSON.stringify(columns),
  );
}

/** Keeps the steps and data of megatest.db's tests that lost to a test of the same name. */
async function recordReplacedChildren(session: JobSession): Promise<void> {
  const { db } = session;
  const lost = "SELECT id FROM temp.differing WHERE table_name = 'tests' AND winner = 'none'";
  if (prepared(db, `SELECT EXISTS (${lost})`).pluck().get() === 0) return;
  await recordChildrenOf(session, lost);
  db.exec(`DELETE FROM temp.slice_tests WHERE id IN (${lost})`);
}

const isTestStaged = (db: Connection) =>
  prepared(db, "SELECT EXISTS (SELECT 1 FROM temp.slice_tests JOIN temp.stage_tests USING (id))")
    .pluck()
    .get() === 1;

/** @param lost a SELECT of the ids of tests */
async function recordChildrenOf(session: JobSession, lost: string): Promise<void> {
  for (const record of session.records.filter(({ parent }) => parent === "test_id")) {
    const columns = record.columnsIn("area");
    await readSources(
      session,
      `INSERT INTO temp.superseded (table_name, row_id, source, reason, columns, row, carried)
       SELECT ${quoteText(record.table)}, x.id, 'area', 'its test was replaced under another id', ?,
         ${rowLiteral("x", columns)}, ${rowLiteral("x", record.carried("area", "completed"))}
       FROM ${rowsOfSlice("area", record, "x")} WHERE s.id IN (${lost})`,
      JSON.stringify(columns),
    );
  }
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

/**
 * Runs one statement that reads sources into temporary tables, and returns the number of rows written. An attempt
 * that finds the database busy leaves nothing and is repeated.
 */
async function readSources(session: JobSession, sql: string, ...parameters: string[]): Promise<number> {
  return session.read(() => {
    const started = performance.now();
    const { changes } = prepared<string[]>(session.db, sql).run(...parameters);
    session.batchSize.hold(performance.now() - started);
    return changes;
  });
}

/** Staged rows of never-synced tables are numbered: the freshest database's from 1, megatest.db's from here. */
const aboveFresh = 2 ** 52;

/** Stages the rows of a never-synced table: the cache's, and those that only megatest.db has, by parent and content. */
async function stageUnsynced(session: JobSession, record: RecordPlan): Promise<void> {
  const { fresh } = session;
  const { mixed } = record;
  const rows = (part: Source) =>
    `SELECT ${columnList(record.columnsIn(part), "x")} FROM ${rowsOfSlice(part, record, "x")}`;
  await addUnsynced(session, record, fresh, rows(fresh));
  if (fresh === "area" || record.columnsIn("area").length === 0) return;
  const columns = record.columnsIn("area");
  const cached = record.columnsIn("cache");
  const compared = columns.filter((name) => cached.includes(name));
  const own = columns.filter((name) => !cached.includes(name));
  const known = `SELECT mtjobs_row, ${columnList(compared)} FROM temp.stage_${record.table} WHERE ${isOfSlice(record)}`;
  if (compared.length === 0) return addUnsynced(session, record, "area", rows("area"));
  if (own.length > 0) {
    // Only megatest.db has these columns.
    await readSources(
      session,
      `UPDATE temp.stage_${record.table} AS t SET ${own.map((name) => `${quoteName(name)} = p.${quoteName(name)}`).join(", ")}
       FROM (${partnersOf(known, rows("area"), { key: "mtjobs_row", compared, own, mixed })}) AS p
       WHERE p.mtjobs_row = t.mtjobs_row`,
    );
  }
  const alone = (part: Source) =>
    unmatchedRows(rows(part), known, { columns: record.columnsIn(part), compared, mixed });
  const { table } = record;
  const note = `INSERT OR IGNORE INTO temp.differing (table_name, id) SELECT ${quoteText(table)}, id FROM (${alone("area")})`;
  if ((await readSources(session, note)) === 0) return;
  if (session.sources.includes("ref")) await keepReplaced(session, record, alone);
  await addUnsynced(
    session,
    record,
    "area",
    `SELECT ${columnList(columns, "x")} FROM temp.differing AS f CROSS JOIN area.${table} AS x ON x.id = f.id
     WHERE f.table_name = ${quoteText(table)} AND f.winner IS NULL`,
  );
}

/**
 * Keeps rows of a never-synced table that megatest.db has as the ref does, if the cache has others of that parent: a
 * restore put them into all three databases, and a client replaced them in the cache since.
 *
 * @param alone a SELECT of a part's rows of the slice that the cache lacks
 */
async function keepReplaced(
  session: JobSession,
  record: RecordPlan,
  alone: (part: Source) => string,
): Promise<void> {
  const { table, mixed, parent } = record;
  const [cached, inRef] = [record.columnsIn("cache"), record.columnsIn("ref")];
  const shared = record.columnsIn("area").filter((name) => cached.includes(name));
  // Without all columns it cannot tell which of the cache's rows it has.
  if (parent === null || !shared.every((name) => inRef.includes(name))) return;
  const compared = record.columnsIn("area").filter((name) => inRef.includes(name));
  const both = partnersOf(alone("area"), alone("ref"), { key: "id", compared, own: [parent], mixed });
  await readSources(
    session,
    `UPDATE temp.differing SET winner = 'none' WHERE table_name = ${quoteText(table)} AND id IN (SELECT id FROM (${both})
       WHERE ${parent} IN (SELECT ${parent} FROM temp.stage_${table} WHERE mtjobs_row <= ${aboveFresh}))`,
  );
  await recordVersions(session, record, {
    winner: "none",
    superseded: "area",
    reason: "replaced in the cache",
  });
}

const isOfSlice = ({ parent }: RecordPlan) =>
  `${parent} IN (SELECT id FROM temp.${parent === "run_id" ? "slice_runs" : "slice_tests"})`;

/** The cache's rows come first, in whatever slice they are read: they keep an id that another row wants. */
async function addUnsynced(
  session: JobSession,
  record: RecordPlan,
  part: Source,
  select: string,
): Promise<void> {
  const columns = record.columnsIn(part);
  if (columns.length === 0) return;
  const isFresh = part === session.fresh;
  const rest = columns.filter((name) => name !== "id");
  const last = isFresh
    ? `coalesce((SELECT max(mtjobs_row) FROM temp.stage_${record.table} WHERE mtjobs_row <= ${aboveFresh}), 0)`
    : `max(${aboveFresh}, coalesce((SELECT max(mtjobs_row) FROM temp.stage_${record.table}), 0))`;
  const added = await readSources(
    session,
    `INSERT INTO temp.stage_${record.table} (${columnList(["mtjobs_row", "id", ...rest])})
     SELECT ${last} + row_number() OVER (), ${columnList(["id", ...rest], "n")} FROM (${select}) AS n`,
  );
  if (isFresh || added === 0 || record.columnsIn(session.fresh).length === 0) return;
  // An id of any cache row belongs to that row, even if it is staged later.
  await readSources(
    session,
    `UPDATE temp.stage_${record.table} AS n SET id = NULL
     WHERE ${isOfSlice(record)} AND mtjobs_row > ${aboveFresh} AND EXISTS (SELECT 1 FROM ${session.fresh}.${record.table} AS f WHERE f.id = n.id)`,
  );
}

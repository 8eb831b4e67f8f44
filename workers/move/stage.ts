import { prepared } from "../sqlite/connection.ts";
import { columnList, rowLiteral, sameName, sameRow } from "../sqlite/row-sql.ts";
import { childrenOfSlice } from "./children.ts";
import { type Move, plansBy, type Source } from "./move.ts";
import type { RecordPlan } from "./record-tables.ts";
import { clearScratch } from "./scratch.ts";
import { enterSlice, type Slice } from "./slices.ts";
import { unmatchedRows } from "./unsynced-rows.ts";

/**
 * Reads the freshest version of a slice's rows into `temp.stage_<table>`, and the versions that lost into
 * `temp.losers`. Every statement reads one slice and ends; nothing stays locked between them.
 *
 * Which side is newer is judged with the ref as the common ancestor of cache and megatest.db.
 *
 * @returns the number of tests in the slice
 */
export function stageSlice(move: Move, slice: Slice): number {
  const { db } = move;
  const tests = enterSlice(db, slice);
  clearScratch(db, "losers", "differing", ...move.records.map(({ table }) => `stage_${table}`));
  // Parents first: a test of megatest.db that loses takes its children with it.
  for (const parent of [null, "run_id", "test_id"] as const) {
    for (const record of plansBy(move, parent, true)) stageSynced(move, record);
  }
  for (const record of move.records.filter(({ synced }) => !synced)) stageUnsynced(move, record);
  return tests;
}

/** Rows of a slice by id: tests are already listed in it, the others hang on it. */
function sliceRows(part: Source, record: RecordPlan, alias: string): string {
  return record.table === "tests"
    ? `temp.slice_tests AS s CROSS JOIN ${part}.tests AS ${alias} ON ${alias}.id = s.id`
    : childrenOfSlice(part, record, alias);
}

function stageSynced(move: Move, record: RecordPlan): void {
  const { db, fresh } = move;
  const columns = record.columnsIn(fresh);
  if (columns.length > 0) {
    prepared(
      db,
      `INSERT OR IGNORE INTO temp.stage_${record.table} (${columnList(columns)})
       SELECT ${columnList(columns, "c")} FROM ${sliceRows(fresh, record, "c")}`,
    ).run();
  }
  if (fresh === "area") return;
  takeOwnColumns(move, record);
  const differing = noteDiffering(move, record);
  if (differing === 0) return;
  keepLosers(move, record);
  takeWinners(move, record);
}

/** Columns that megatest.db alone has: nobody else can say what belongs there. */
function takeOwnColumns({ db }: Move, record: RecordPlan): void {
  const { table } = record;
  const cached = record.columnsIn("cache");
  const own = record.columnsIn("area").filter((name) => !cached.includes(name));
  if (own.length === 0) return;
  prepared(
    db,
    `UPDATE temp.stage_${table} SET (${columnList(own)}) =
       (SELECT ${columnList(own, "m")} FROM area.${table} AS m WHERE m.id = stage_${table}.id)
     WHERE id IN (SELECT id FROM area.${table})`,
  ).run();
}

/** Compares megatest.db's rows of the slice with those staged from the cache; returns how many differ. */
function noteDiffering(move: Move, record: RecordPlan): number {
  const { table } = record;
  const carried = record.carried("cache", "area");
  return prepared(
    move.db,
    `INSERT OR IGNORE INTO temp.differing (table_name, id, winner)
       SELECT '${table}', m.id, CASE
         WHEN c.id IS NOT NULL THEN CASE WHEN ${areaIsNewer(move, record)} THEN 'area' ELSE 'cache' END
         WHEN ${standsElsewhereInCache(record)} THEN 'none'
         ELSE 'alone' END
       FROM ${sliceRows("area", record, "m")} LEFT JOIN temp.stage_${table} AS c ON c.id = m.id
       WHERE c.id IS NULL OR NOT (${sameRow("c", "m", carried)})`,
  ).run().changes;
}

/**
 * Where cache (`c`) and ref agree, megatest.db (`m`) has changed only if its last_update is later than the
 * ref's: both are times of syncs, and a sync killed between the two leaves megatest.db behind.
 */
function areaIsNewer(move: Move, record: RecordPlan): string {
  const timed = (["ref", "area"] as const).every((part) => record.columnsIn(part).includes("last_update"));
  if (!move.sources.includes("ref") || !timed) return "0";
  return `EXISTS (SELECT 1 FROM ref.${record.table} AS r WHERE r.id = c.id
    AND ${sameRow("c", "r", record.carried("cache", "ref"))} AND m.last_update > r.last_update)`;
}

/**
 * True for a row that megatest.db alone has under this id and parent, but that the cache holds in another
 * shape: its id under another parent, or its name under another id. Megatest's sync would replace it.
 */
function standsElsewhereInCache(record: RecordPlan): string {
  return `EXISTS (SELECT 1 FROM cache.${record.table} AS n WHERE n.id = m.id)
    OR EXISTS (SELECT 1 FROM cache.${record.table} AS n WHERE ${sameName("n", "m", record.naturalKey)})`;
}

/** Keeps each version that loses: the cache's where megatest.db is newer, else megatest.db's. */
function keepLosers(move: Move, record: RecordPlan): void {
  keep(move, record, "cache", "newer in megatest.db", "winner = 'area'");
  keep(move, record, "area", "newer in the cache", "winner = 'cache'");
  keep(move, record, "area", "replaced in the cache under another id", "winner = 'none'");
  if (record.table === "tests") keepChildrenOfLosers(move);
}

function keep(move: Move, record: RecordPlan, part: Source, reason: string, which: string): void {
  const columns = record.columnsIn(part);
  prepared(
    move.db,
    `INSERT INTO temp.losers (table_name, row_id, source, reason, columns, row, carried)
       SELECT '${record.table}', x.id, '${part}', ?, ?, ${rowLiteral("x", columns)},
         ${rowLiteral("x", record.carried(part, "completed"))}
       FROM temp.differing AS f CROSS JOIN ${part}.${record.table} AS x ON x.id = f.id
       WHERE f.table_name = '${record.table}' AND ${which}`,
  ).run(reason, JSON.stringify(columns));
}

/** A test of megatest.db that lost to one of the same name leaves its steps and data without a parent. */
function keepChildrenOfLosers(move: Move): void {
  const { db } = move;
  const lost = "SELECT id FROM temp.differing WHERE table_name = 'tests' AND winner = 'none'";
  const stale = prepared<[], number>(
    db,
    `${lost} AND NOT EXISTS (SELECT 1 FROM cache.tests AS c WHERE c.id = differing.id)`,
  );
  if (stale.pluck().all().length === 0) return;
  for (const record of move.records.filter(({ parent }) => parent === "test_id")) {
    const columns = record.columnsIn("area");
    prepared(
      db,
      `INSERT INTO temp.losers (table_name, row_id, source, reason, columns, row, carried)
       SELECT '${record.table}', x.id, 'area', 'its test was replaced under another id', ?,
         ${rowLiteral("x", columns)}, ${rowLiteral("x", record.carried("area", "completed"))}
       FROM ${childrenOfSlice("area", record, "x")} WHERE s.id IN (${lost})`,
    ).run(JSON.stringify(columns));
  }
  db.exec(`DELETE FROM temp.slice_tests WHERE id IN (${lost})`);
}

/** Brings what megatest.db knows better into the stage: carried columns of newer rows, and rows it alone has. */
function takeWinners(move: Move, record: RecordPlan): void {
  const { db } = move;
  const { table } = record;
  const chosen = (winner: string) =>
    `(SELECT id FROM temp.differing WHERE table_name = '${table}' AND winner = '${winner}')`;
  const carried = record.carried("cache", "area");
  prepared(
    db,
    `UPDATE temp.stage_${table} SET (${columnList(carried)}) =
       (SELECT ${columnList(carried, "m")} FROM area.${table} AS m WHERE m.id = stage_${table}.id)
     WHERE id IN ${chosen("area")}`,
  ).run();
  const columns = record.columnsIn("area");
  prepared(
    db,
    `INSERT INTO temp.stage_${table} (${columnList(columns)})
     SELECT ${columnList(columns, "m")} FROM area.${table} AS m WHERE m.id IN ${chosen("alone")}`,
  ).run();
}

/** Rows of a table that never syncs: the cache's, and those that megatest.db alone has, told by parent and content. */
function stageUnsynced(move: Move, record: RecordPlan): void {
  const { db, fresh } = move;
  for (const part of fresh === "cache" ? (["cache", "area"] as const) : (["area"] as const)) {
    const columns = record.columnsIn(part);
    if (columns.length === 0) continue;
    const rows = `SELECT ${columnList(columns, "x")} FROM ${childrenOfSlice(part, record, "x")}`;
    const known = `SELECT ${columnList(columns)} FROM temp.stage_${record.table}`;
    const chosen = part === fresh ? rows : unmatchedRows(rows, known, columns);
    prepared(db, `INSERT INTO temp.stage_${record.table} (${columnList(columns)}) ${chosen}`).run();
  }
}

import { prepared, quoteName, quoteText } from "../../../shared/sqlite/connection.ts";
import { idList, preparedIds } from "../../../shared/sqlite/ids.ts";
import type { AreaSession } from "../../records/area-session.ts";
import { reconcileRows } from "../../records/reconcile-cache.ts";
import type { RecordPlan } from "../../records/record-tables.ts";
import { rowLiteral, sameName, sameRow } from "../../records/row-sql.ts";
import { commitSuperseded } from "../../records/superseded.ts";
import { clearTempTables } from "../../records/temp-tables.ts";
import { copyFromCache } from "./merge-cache.ts";

/** Rows of megatest.db read per statement. */
const chunk = 2_000;
/** Rows written per transaction. */
const piece = 100;

/**
 * Repairs megatest.db after the syncs of divergent caches: rewrites rows that differ from the home cache's row of
 * that id, and reconciles the rest with the home's ref as base. Returns the number of rows.
 */
export async function repairOverwritten(session: AreaSession): Promise<number> {
  let rows = 0;
  for (const record of session.records.filter(({ synced }) => synced)) rows += await restore(session, record);
  return rows + (await reconcileRows(session, "both"));
}

async function restore(session: AreaSession, record: RecordPlan): Promise<number> {
  const { db } = session;
  const { table, naturalKey } = record;
  const named = naturalKey.map((name) => `a.${quoteName(name)} IS c.${quoteName(name)}`).join(" AND ");
  const clobbered = () =>
    preparedIds<[bigint, bigint]>(
      db,
      `SELECT a.id FROM area.${table} AS a CROSS JOIN cache.${table} AS c ON c.id = a.id
     WHERE a.id BETWEEN ? AND ? AND NOT (${named})`,
    );
  let rows = 0;
  for await (const range of session.idRanges(`area.${table}`, chunk)) {
    const ids = await session.read(() => clobbered().all(...range));
    for (let at = 0; at < ids.length; at += piece) await replace(session, record, ids.slice(at, at + piece));
    rows += ids.length;
  }
  return rows;
}

/** Writes the cache's rows over megatest.db's, after keeping what only those hold. */
async function replace(session: AreaSession, record: RecordPlan, ids: readonly bigint[]): Promise<void> {
  clearTempTables(session.db, "superseded");
  await session.read(() => noteDisplaced(session, record, ids));
  for (let isDone = false; !isDone; ) {
    await commitSuperseded(session);
    isDone = await session.commit("area", () => {
      // A concurrent sync wrote another version.
      if (noteDisplaced(session, record, ids) > 0) return false;
      copyFromCache(session, record, "area", ids);
      return true;
    });
  }
}

/**
 * Adds to `temp.superseded` the rows whose id or name is taken, unless the cache has the same row under that name: their
 * own cache may be gone. Rows merged under another parent are kept too.
 */
function noteDisplaced({ db }: AreaSession, record: RecordPlan, ids: readonly bigint[]): number {
  const { table, naturalKey } = record;
  const all = record.columnsIn("area");
  const content = record
    .carried("cache", "area")
    .filter((name) => name !== "id" && name !== "last_update" && !naturalKey.includes(name));
  const row = rowLiteral("a", all);
  return prepared<{ columns: string; ids: string }>(
    db,
    `INSERT INTO temp.superseded (table_name, row_id, source, reason, columns, row, carried)
     SELECT ${quoteText(table)}, a.id, 'area', 'its id or name belongs to another row at home', :columns, ${row}, ${rowLiteral("a", record.carried("area", "completed"))}
     FROM area.${table} AS a
     WHERE a.id IN (SELECT value FROM json_each(:ids) UNION SELECT n.id FROM json_each(:ids) AS j
         CROSS JOIN cache.${table} AS c ON c.id = j.value CROSS JOIN area.${table} AS n ON ${sameName("n", "c", naturalKey)})
       AND NOT EXISTS (SELECT 1 FROM cache.${table} AS n
         WHERE ${sameName("n", "a", naturalKey)} AND ${sameRow("n", "a", content, record.mixed)})
       AND NOT EXISTS (SELECT 1 FROM temp.superseded AS l WHERE l.row_id = a.id AND l.row = ${row})`,
  ).run({ columns: JSON.stringify(all), ids: idList(ids) }).changes;
}

import { quoteName } from "../../../shared/sqlite/connection.ts";
import { preparedIds } from "../../../shared/sqlite/ids.ts";
import type { AreaSession } from "../../records/area-session.ts";
import { reconcileRows } from "../../records/reconcile-cache.ts";
import type { RecordPlan } from "../../records/record-tables.ts";
import { replaceInArea } from "./copy-home-rows.ts";

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
    for (let at = 0; at < ids.length; at += piece)
      await replaceInArea(session, record, ids.slice(at, at + piece));
    rows += ids.length;
  }
  return rows;
}

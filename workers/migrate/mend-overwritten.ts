import { setImmediate as yieldNow } from "node:timers/promises";
import { prepared, quoteName } from "../../shared/sqlite/connection.ts";
import { proveToken } from "../fence.ts";
import { settleAll } from "../move/bring-together.ts";
import type { Move } from "../move/move.ts";
import type { RecordPlan } from "../move/record-tables.ts";
import { outwaitBusy, transact } from "../move/transaction.ts";
import { copyFromCache } from "./merge-stray.ts";

/** Rows of megatest.db looked at in one statement. */
const chunk = 2_000;

/**
 * After strays are merged: what their syncs did to megatest.db. A row that is another one there than under its id in the
 * home's cache is written again; all else is settled by the three-way rule, with the home's ref as what both agreed on. So
 * what a stray changed and synced comes home, or is kept aside where it changed at home too. Returns how many rows that were.
 */
export async function mendOverwritten(move: Move, beforeCommit: () => void): Promise<number> {
  let rows = 0;
  for (const record of move.records.filter(({ synced }) => synced))
    rows += await restore(move, record, beforeCommit);
  return rows + (await settleAll(move, "both", beforeCommit));
}

async function restore(move: Move, record: RecordPlan, beforeCommit: () => void): Promise<number> {
  const { db, context, token } = move;
  const { table, naturalKey } = record;
  const named = naturalKey.map((name) => `a.${quoteName(name)} IS c.${quoteName(name)}`).join(" AND ");
  const last = prepared<[number], number | null>(
    db,
    `SELECT max(id) FROM (SELECT id FROM area.${table} WHERE id > ? ORDER BY id LIMIT ${chunk})`,
  ).pluck();
  const clobbered = prepared<[number, number], number>(
    db,
    `SELECT a.id FROM area.${table} AS a CROSS JOIN cache.${table} AS c ON c.id = a.id
     WHERE a.id > ? AND a.id <= ? AND NOT (${named})`,
  ).pluck();
  let rows = 0;
  let from = Number.MIN_SAFE_INTEGER;
  for (let to = last.get(from) ?? null; to !== null; to = last.get(from) ?? null) {
    const [after, end] = [from, to];
    const ids = await outwaitBusy(context.signal, () => clobbered.all(after, end));
    if (ids.length > 0) {
      await outwaitBusy(context.signal, () => {
        beforeCommit();
        transact(db, () => {
          proveToken(db, "area", token, Date.now());
          copyFromCache(db, record, "area", ids);
        });
      });
    }
    rows += ids.length;
    from = to;
    context.signal.throwIfAborted();
    await yieldNow();
  }
  return rows;
}

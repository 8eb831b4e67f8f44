import { identifiedTables } from "../../shared/area-db/record-tables.ts";
import { type IdRange, preparedIds } from "../../shared/sqlite/ids.ts";
import { withoutStampingTriggers, withSyncTriggers } from "../../shared/sqlite/triggers.ts";
import { plural } from "../../shared/text.ts";
import type { Source } from "../area-db/databases.ts";
import { isRefillNoted, setRefillDue } from "../area-db/fence.ts";
import type { AreaSession } from "./area-session.ts";
import { collectDiffering, collectSuperseded, leaveNewerElsewhere } from "./differing-rows.ts";
import { SchemaChanged } from "./plans.ts";
import type { RecordPlan } from "./record-tables.ts";
import { columnList, rowLiteral } from "./row-sql.ts";
import { commitSuperseded } from "./superseded.ts";
import { syncsLastUpdate, writtenColumns } from "./sync-kind.ts";
import { clearTempTables } from "./temp-tables.ts";

/**
 * Reconciles cache and megatest.db, row by row, by the three-way rule and in both directions, if megatest.db was over
 * 10 s newer than the cache. The next Megatest to open the cache would overwrite it from megatest.db; a job renews
 * the cache's time before its first commit, which prevents that refill.
 *
 * That a refill is due is recorded in the cache, in the same commit as the time that hides it.
 */
export async function reconcileCache(session: AreaSession): Promise<void> {
  if (session.fresh !== "cache") return;
  if (!(await session.read(() => isRefillNoted(session.db)))) return;
  session.context.log("megatest.db was newer than the cache: reconciling both before moving runs.");
  const rows = await reconcileRows(session, "both");
  await session.commit("cache", () => setRefillDue(session.db, false));
  session.context.log(`Reconciled ${plural(rows, "row")} that differed.`);
}

/** The databases that may be written to: all of them, or all but a closed cache. */
export type Direction = "both" | "from-cache";

/**
 * Reconciles the rows that differ between cache and megatest.db, table by table, by the three-way rule; returns how
 * many there were. May be repeated. If the cache is closed, rows newer in megatest.db are left.
 */
export async function reconcileRows(session: AreaSession, direction: Direction): Promise<number> {
  let rows = 0;
  for (const table of identifiedTables) {
    const record = session.records.find((candidate) => candidate.table === table);
    if (record !== undefined) rows += await settleTable({ session, record, direction });
  }
  return rows;
}

interface Settling {
  session: AreaSession;
  record: RecordPlan;
  direction: Direction;
}

/** Rows in one batch: few enough for a short lock even if all of them differ. */
const chunk = 500;

async function settleTable(settling: Settling): Promise<number> {
  const { session, record } = settling;
  const { db } = session;
  const last = (from: bigint) =>
    preparedIds<{ from: bigint }, bigint | null>(
      db,
      `SELECT max(id) FROM (
       SELECT id FROM (SELECT id FROM cache.${record.table} WHERE id >= :from ORDER BY id LIMIT ${chunk})
       UNION SELECT id FROM (SELECT id FROM area.${record.table} WHERE id >= :from ORDER BY id LIMIT ${chunk})
       ORDER BY id LIMIT ${chunk})`,
    ).get({ from });
  let rows = 0;
  for await (const range of session.idRangesBy(last)) rows += await settleWithPlans(settling, range);
  return rows;
}

/** In the order of Megatest's own copying: the cache before its ref; megatest.db before the ref knows of it. */
const routes: Record<Direction, readonly (readonly [Source, "cache" | "area"])[]> = {
  both: [
    ["cache", "area"],
    ["area", "cache"],
    ["ref", "area"],
    ["ref", "cache"],
  ],
  "from-cache": [
    ["area", "cache"],
    ["ref", "cache"],
  ],
};

/** Retries with new plans if a schema has changed: values of a new column would be lost. */
async function settleWithPlans(settling: Settling, range: IdRange): Promise<number> {
  const { session } = settling;
  for (;;) {
    await session.plans.renew(session);
    try {
      return await settleRange(settling, range);
    } catch (error) {
      if (!(error instanceof SchemaChanged)) throw error;
    }
  }
}

async function settleRange({ session, record, direction }: Settling, range: IdRange): Promise<number> {
  const { db, context } = session;
  const found = await session.read(() => {
    clearTempTables(db, "differing");
    const noted = collectDiffering(session, record, range);
    return direction === "both" ? noted : noted - leaveNewerElsewhere(db);
  });
  if (found === 0) return 0;
  await session.read(() => {
    clearTempTables(db, "superseded");
    collectSuperseded(session, record);
  });
  await commitSuperseded(session);
  // Read once: cache, ref and megatest.db must get the same values, whatever a client writes.
  await session.read(() => {
    capture(session, record, "area", "('area', 'alone')");
    capture(session, record, "cache", "('cache', 'missing')");
  });
  for (const [part, from] of routes[direction]) {
    if (!session.sources.includes(part)) continue;
    await session.read(() => overwrite(session, record, part, from));
    context.failpoint(`settled-in-${part}`);
  }
  return found;
}

function capture(session: AreaSession, record: RecordPlan, from: "cache" | "area", winners: string): void {
  session.db.exec(`DROP TABLE IF EXISTS temp.winning_${from};
    CREATE TEMP TABLE winning_${from} AS SELECT ${columnList(["id", ...writtenColumns(session, record, "cache", "area")])}
    FROM ${from}.${record.table} WHERE id IN (SELECT id FROM temp.differing WHERE winner IN ${winners})`);
}

/**
 * Writes the winning rows as this area's Megatest does: carried columns, and defaults for the rest of a new row.
 * `last_update` is the same everywhere if the sync carries it; else syncs and refills would find a difference.
 */
function overwrite(session: AreaSession, record: RecordPlan, part: Source, from: "cache" | "area"): void {
  const { db } = session;
  const { table } = record;
  const here = new Set(record.columnsIn(part));
  const rest = writtenColumns(session, record, "cache", "area").filter((name) => here.has(name));
  const quietly = syncsLastUpdate(session) ? withoutStampingTriggers : withSyncTriggers;
  const columns = columnList(["id", ...rest]);
  const winning = `temp.winning_${from}`;
  // Only the version judged is overwritten: a client may have written to the cache since.
  const unchanged =
    part === "cache"
      ? `EXISTS (SELECT 1 FROM temp.superseded AS l WHERE l.row_id = t.id AND l.source = 'cache'
          AND l.carried = ${rowLiteral("t", record.carried(part, "completed"))})`
      : "1";
  // Same name under another id: Megatest's sync replaces that row; in the cache the existing row stays.
  const clash = part === "cache" ? "IGNORE" : "REPLACE";
  session.commitRows(part, () => {
    quietly(db, part, () => {
      db.exec(
        `UPDATE OR ${clash} ${part}.${table} AS t SET (${columnList(rest)}) =
         (SELECT ${columnList(rest, "w")} FROM ${winning} AS w WHERE w.id = t.id)
       WHERE t.id IN (SELECT id FROM ${winning}) AND ${unchanged}`,
      );
      db.exec(
        `INSERT OR ${clash} INTO ${part}.${table} (${columns})
       SELECT ${columns} FROM ${winning} AS w WHERE NOT EXISTS (SELECT 1 FROM ${part}.${table} AS t WHERE t.id = w.id)`,
      );
    });
  });
}

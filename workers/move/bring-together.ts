import { plural } from "../../shared/plural.ts";
import { identifiedTables } from "../../shared/record-tables.ts";
import { type IdRange, preparedIds, walkIds } from "../../shared/sqlite/ids.ts";
import { columnList, rowLiteral } from "../../shared/sqlite/row-sql.ts";
import { withoutStampingTriggers, withSyncTriggers } from "../../shared/sqlite/triggers.ts";
import { noteRefillDue, proveToken, readFence } from "../fence.ts";
import { commitLosers } from "./copy.ts";
import { leaveNewerElsewhere, noteDiffering, noteLosers } from "./differing-rows.ts";
import type { Move, Source } from "./move.ts";
import { SchemaChanged } from "./plans.ts";
import type { RecordPlan } from "./record-tables.ts";
import { clearScratch } from "./scratch.ts";
import { syncsLastUpdate, writtenColumns } from "./sync-kind.ts";
import { outwaitBusy, transact } from "./transaction.ts";

/**
 * Where megatest.db was over 10 s newer than the cache, the next Megatest to open the cache would overwrite
 * it from megatest.db. We renew the cache's time before our first commit, so that refill will not come:
 * what it would have brought we bring, row by row and by the three-way rule, in both directions.
 *
 * That it is due stands in the cache, committed together with the time that hides it.
 */
export async function bringTogether(move: Move, beforeCommit: () => void): Promise<void> {
  if (move.fresh !== "cache") return;
  const fence = await outwaitBusy(move.context.signal, () => readFence(move.db, "cache"));
  if (fence?.refillDue !== true) return;
  move.context.log("megatest.db was newer than the cache: both are brought together before anything moves.");
  const rows = await settleAll(move, "both", beforeCommit);
  await outwaitBusy(move.context.signal, () =>
    transact(move.db, () => {
      proveToken(move.db, "cache", move.token, Date.now());
      noteRefillDue(move.db, false);
    }),
  );
  move.context.log(`Settled ${plural(rows, "row")} that differed.`);
}

/** Which databases may be written to: all of them, or, where the cache is closed, the others alone. */
export type Direction = "both" | "from-cache";

/**
 * Settles by the three-way rule what cache and megatest.db do not share, table by table, and returns how many rows that
 * were. May be repeated: rows that are settled agree. Where the cache is closed, what megatest.db has newer is left.
 */
export async function settleAll(move: Move, direction: Direction, beforeCommit: () => void): Promise<number> {
  let rows = 0;
  for (const table of identifiedTables) {
    const record = move.records.find((candidate) => candidate.table === table);
    if (record !== undefined) rows += await settleTable({ move, record, direction, beforeCommit });
  }
  return rows;
}

interface Settling {
  move: Move;
  record: RecordPlan;
  direction: Direction;
  beforeCommit(): void;
}

/** Rows settled at once: few enough for a short lock even where all of them differ. */
const chunk = 500;

async function settleTable(settling: Settling): Promise<number> {
  const { move, record } = settling;
  const { db, context } = move;
  const last = () =>
    preparedIds<{ from: bigint }, bigint | null>(
      db,
      `SELECT max(id) FROM (
       SELECT id FROM (SELECT id FROM cache.${record.table} WHERE id >= :from ORDER BY id LIMIT ${chunk})
       UNION SELECT id FROM (SELECT id FROM area.${record.table} WHERE id >= :from ORDER BY id LIMIT ${chunk})
       ORDER BY id LIMIT ${chunk})`,
    );
  const { signal } = context;
  const ranges = walkIds(signal, (from) => outwaitBusy(signal, () => last().get({ from })));
  let rows = 0;
  for await (const range of ranges) rows += await settleWithPlans(settling, range);
  return rows;
}

/** As Megatest's own copying goes: into the cache before its ref; into megatest.db before the ref knows of it. */
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

/** Once more where somebody has changed a schema meanwhile: what a row of it held besides would not be kept. */
async function settleWithPlans(settling: Settling, range: IdRange): Promise<number> {
  const { plans, token, context } = settling.move;
  for (;;) {
    await plans.renew(token, context.signal);
    try {
      return await settleRange(settling, range);
    } catch (error) {
      if (!(error instanceof SchemaChanged)) throw error;
    }
  }
}

async function settleRange(
  { move, record, direction, beforeCommit }: Settling,
  range: IdRange,
): Promise<number> {
  const { db, context } = move;
  const found = await outwaitBusy(context.signal, () => {
    clearScratch(db, "differing");
    const noted = noteDiffering(move, record, range);
    return direction === "both" ? noted : noted - leaveNewerElsewhere(db);
  });
  if (found === 0) return 0;
  await outwaitBusy(context.signal, () => {
    clearScratch(db, "losers");
    noteLosers(move, record);
  });
  await commitLosers(move);
  // Read once: cache, ref and megatest.db must get the same values, whatever a client writes meanwhile.
  await outwaitBusy(context.signal, () => {
    capture(move, record, "area", "('area', 'alone')");
    capture(move, record, "cache", "('cache', 'missing')");
  });
  for (const [part, from] of routes[direction]) {
    if (!move.sources.includes(part)) continue;
    await outwaitBusy(context.signal, () => {
      beforeCommit();
      overwrite(move, record, part, from);
    });
    context.failpoint(`settled-in-${part}`);
  }
  return found;
}

function capture(move: Move, record: RecordPlan, from: "cache" | "area", winners: string): void {
  move.db.exec(`DROP TABLE IF EXISTS temp.winning_${from};
    CREATE TEMP TABLE winning_${from} AS SELECT ${columnList(["id", ...writtenColumns(move, record, "cache", "area")])}
    FROM ${from}.${record.table} WHERE id IN (SELECT id FROM temp.differing WHERE winner IN ${winners})`);
}

/**
 * Writes the winning rows as this area's Megatest does: carried columns, defaults elsewhere in a new row. `last_update` is
 * one time in all of them where its sync carries that, or each sync and each refill would find these rows different again.
 */
function overwrite(move: Move, record: RecordPlan, part: Source, from: "cache" | "area"): void {
  const { db, plans, token } = move;
  const { table } = record;
  const here = new Set(record.columnsIn(part));
  const rest = writtenColumns(move, record, "cache", "area").filter((name) => here.has(name));
  const quietly = syncsLastUpdate(move) ? withoutStampingTriggers : withSyncTriggers;
  const columns = columnList(["id", ...rest]);
  const winning = `temp.winning_${from}`;
  // A client that wrote to the cache since has the last word: only the version judged is overwritten.
  const unchanged =
    part === "cache"
      ? `EXISTS (SELECT 1 FROM temp.losers AS l WHERE l.row_id = t.id AND l.source = 'cache'
          AND l.carried = ${rowLiteral("t", record.carried(part, "completed"))})`
      : "1";
  // The same name under another id: Megatest's sync replaces that row, and a row of the cache gives way to none.
  const clash = part === "cache" ? "IGNORE" : "REPLACE";
  const schema = transact(db, () => {
    proveToken(db, part, token, Date.now());
    plans.assertCurrent(part);
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
    return plans.versionOf(part);
  });
  plans.noteOwnChange(part, schema);
}

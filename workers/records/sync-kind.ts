import type { Connection } from "../../shared/sqlite/connection.ts";
import type { AreaSession } from "./area-session.ts";
import { planOf } from "./record-session.ts";
import type { RecordPlan } from "./record-tables.ts";
import { sameRow } from "./row-sql.ts";

/** The newest tests of the ref that are compared: it has what was synced. */
const sample = 500;

const learned = new WeakMap<Connection, boolean>();

/**
 * Returns true if this area's Megatest is of the kind whose sync carries `last_update` (since mid-2017: 1.6428 of
 * v1.64, 1.6506), false for the kind that leaves it to each database's default (1.6501 and before). A row on which
 * cache, ref and megatest.db agree has one time in all of them, or those of the write and of the sync. Read once for
 * each connection, before a job writes such rows. Without a cache and a ref it is unknown: false.
 */
export function syncsLastUpdate(session: AreaSession): boolean {
  const known = learned.get(session.db);
  if (known !== undefined) return known;
  const found = readSyncKind(session);
  learned.set(session.db, found);
  return found;
}

function readSyncKind(session: AreaSession): boolean {
  const tests = planOf(session, "tests");
  if (
    !(["cache", "ref", "area"] as const).every(
      (part) => session.sources.includes(part) && isTimed(tests, part),
    )
  )
    return false;
  const same = (part: "ref" | "area", alias: string) =>
    sameRow("c", alias, tests.carried("cache", part), tests.mixed);
  const [compared = 0, alike = 0] =
    session.db
      .prepare<[], [number, number | null]>(
        `SELECT count(*), sum(c.last_update IS r.last_update AND c.last_update IS m.last_update)
         FROM (SELECT * FROM ref.tests ORDER BY id DESC LIMIT ${sample}) AS r
         CROSS JOIN cache.tests AS c ON c.id = r.id CROSS JOIN area.tests AS m ON m.id = r.id
         WHERE ${same("ref", "r")} AND ${same("area", "m")}`,
      )
      .raw()
      .get() ?? [];
  return compared > 0 && (alike ?? 0) * 2 > compared;
}

/** Returns the columns that Megatest's sync writes from `a` to `b` in this area, without `id`. */
export function writtenColumns(
  session: AreaSession,
  record: RecordPlan,
  a: "cache" | "area",
  b: "cache" | "ref" | "area",
): string[] {
  const timed = isTimed(record, a) && isTimed(record, b) && syncsLastUpdate(session);
  return [...record.carried(a, b), ...(timed ? ["last_update"] : [])];
}

const isTimed = (record: RecordPlan, part: "cache" | "ref" | "area") =>
  record.synced && record.columnsIn(part).includes("last_update");

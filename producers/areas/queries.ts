import { readFenceRow } from "../../shared/lease/fence.ts";
import { leaseState } from "../../shared/lease/lease.ts";
import type { Connection, Part } from "../../shared/sqlite/connection.ts";
import { quoteName } from "../../shared/sqlite/connection.ts";
import { NameSet } from "../../shared/sqlite/names.ts";
import { shownId } from "../../shared/sqlite/run-id.ts";
import { columnNames, hasTable } from "../../shared/sqlite/table.ts";
import { isOddTime, seconds } from "../../shared/sqlite/times.ts";
import type { Lease, NamedRun, Side } from "../contract/area.ts";
import { isoTime } from "./iso-time.ts";

/** Megatest never shows a run in state `deleted`; the row that guards ids is one. */
const shown = "coalesce(state, '') <> 'deleted'";

function countRuns(db: Connection, part: Part): number {
  return db.prepare<[], number>(`SELECT count(*) FROM ${part}.runs WHERE ${shown}`).pluck().get() ?? 0;
}

/** @param keys the target keys; those that are not columns of `runs` are ignored */
export function readSide(db: Connection, part: Part, keys: readonly string[]): Side {
  const read = (name: string) => db.pragma(`${part}.${name}`, { simple: true }) as number;
  return {
    runs: countRuns(db, part),
    oldest: endOf(db, part, keys, "ASC"),
    newest: endOf(db, part, keys, "DESC"),
    freeBytes: read("freelist_count") * read("page_size"),
  };
}

function endOf(db: Connection, part: Part, keys: readonly string[], order: "ASC" | "DESC"): NamedRun | null {
  const columns = new NameSet(columnNames(db, part, "runs"));
  const target = keys
    .filter((key) => columns.has(key))
    .map((key) => `coalesce(${quoteName(key)}, '')`)
    .join(" || '/' || ");
  const run = db
    .prepare<[], { id: bigint; target: string; runname: string; begun: bigint | null }>(
      `SELECT id, ${target === "" ? "''" : target} AS target, coalesce(runname, '') AS runname,
         CASE WHEN ${isOddTime("event_time")} THEN NULL ELSE CAST(event_time AS INTEGER) END AS begun
       FROM ${part}.runs WHERE ${shown} ORDER BY ${seconds("event_time")} ${order}, id ${order} LIMIT 1`,
    )
    .safeIntegers()
    .get();
  if (run === undefined) return null;
  const { id, target: values, runname, begun } = run;
  return { id: shownId(id), target: values, runname, begunAt: begun === null ? null : isoOf(begun) };
}

/** @param seconds since 1970; null if out of range */
function isoOf(seconds: bigint): string | null {
  const date = new Date(Number(seconds) * 1000);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** Counts the runs of completed-runs.db by state, without `moved`. */
export function readStates(db: Connection): Record<string, number> {
  if (!hasTable(db, "completed", "mtjobs_runs")) return {};
  const rows = db
    .prepare<[], [string, number]>(
      "SELECT state, count(*) FROM completed.mtjobs_runs WHERE state <> 'moved' GROUP BY state",
    )
    .raw()
    .all();
  return Object.fromEntries(rows);
}

/** Counts runs of the cache that neither megatest.db nor completed-runs.db has, without hidden ones. */
export function cacheOnlyRuns(db: Connection, withCompleted: boolean): number {
  const elsewhere = ["area", ...(withCompleted ? ["completed"] : [])]
    .map((part) => `AND NOT EXISTS (SELECT 1 FROM ${part}.runs AS k WHERE k.id = c.id)`)
    .join(" ");
  return (
    db
      .prepare<[], number>(
        `SELECT count(*) FROM cache.runs AS c WHERE coalesce(c.state, '') <> 'deleted' ${elsewhere}`,
      )
      .pluck()
      .get() ?? 0
  );
}

/** Returns null if the lease has ended, or ends later than any valid one can. */
export function readLease(db: Connection, now: number): Lease | null {
  const fence = readFenceRow(db, "area");
  if (fence === undefined || fence.holder === null || leaseState(fence, undefined, now) !== "held")
    return null;
  const { token, holder, jobId, acquiredAt, expiresAt, renewedAt } = fence;
  return {
    ...{ token, holder, jobId },
    since: isoTime(acquiredAt),
    expiresAt: isoTime(expiresAt),
    renewedAt: isoTime(renewedAt),
  };
}

import { type LeaseState, leaseState } from "../../shared/lease/lease.ts";
import { quoteName } from "../../shared/sqlite/connection.ts";
import { NameSet } from "../../shared/sqlite/names.ts";
import { type RunId, shownId } from "../../shared/sqlite/run-id.ts";
import { isOddTime, seconds } from "../../shared/sqlite/times.ts";
import { isoTime } from "./iso-time.ts";
import type { Part, ReadonlyArea } from "./open-readonly.ts";

/** A run as shown by `status`. */
export interface NamedRun {
  id: RunId;
  /** Key values joined by `/`. */
  target: string;
  runname: string;
  /** ISO 8601; null if the run has no valid start time. */
  begunAt: string | null;
}

/** Summary of one database of an area. */
export interface Side {
  /** Without hidden runs. */
  runs: number;
  /** By start time; null without runs. */
  oldest: NamedRun | null;
  newest: NamedRun | null;
  /** What a vacuum would free, in bytes. */
  freeBytes: number;
}

/** The holder of the area according to megatest.db: a worker or an `--inline` job. */
export interface Lease {
  token: number;
  holder: string;
  jobId: string | null;
  /** ISO 8601; for a migration, the start of its current step. */
  since: string;
  /** ISO 8601; the lease ends then in any case. */
  expiresAt: string;
  /** ISO 8601 */
  renewedAt: string;
}

/** Megatest never shows a run in state `deleted`; the row that guards ids is one. */
const shown = "coalesce(state, '') <> 'deleted'";

function countRuns(db: ReadonlyArea, part: Part): number {
  return db.prepare<[], number>(`SELECT count(*) FROM ${part}.runs WHERE ${shown}`).pluck().get() ?? 0;
}

/** @param keys the target keys; those that are not columns of `runs` are ignored */
export function readSide(db: ReadonlyArea, part: Part, keys: readonly string[]): Side {
  const read = (name: string) => db.pragma(`${part}.${name}`, { simple: true }) as number;
  return {
    runs: countRuns(db, part),
    oldest: endOf(db, part, keys, "ASC"),
    newest: endOf(db, part, keys, "DESC"),
    freeBytes: read("freelist_count") * read("page_size"),
  };
}

function endOf(
  db: ReadonlyArea,
  part: Part,
  keys: readonly string[],
  order: "ASC" | "DESC",
): NamedRun | null {
  const columns = new NameSet(columnsOf(db, part, "runs"));
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
export function readStates(db: ReadonlyArea): Record<string, number> {
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
export function cacheOnlyRuns(db: ReadonlyArea, withCompleted: boolean): number {
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

/** The fence's row in megatest.db. */
export interface FenceRow {
  token: number;
  holder: string | null;
  job_id: string | null;
  acquired_at: number;
  expires_at: number;
  renewed_at: number;
}

/** Returns null if the lease has ended, or ends later than any valid one can. */
export function readLease(db: ReadonlyArea, now: number): Lease | null {
  const row = readFenceRow(db);
  if (row === undefined || row.holder === null || leaseStateOf(row, undefined, now) !== "held") return null;
  return {
    token: row.token,
    holder: row.holder,
    jobId: row.job_id,
    since: isoTime(row.acquired_at),
    expiresAt: isoTime(row.expires_at),
    renewedAt: isoTime(row.renewed_at),
  };
}

/** @param host this host's name, to detect a dead holder on this host; undefined skips that */
export function leaseStateOf(
  { holder, expires_at }: FenceRow,
  host: string | undefined,
  now?: number,
): LeaseState {
  return leaseState({ holder, expiresAt: expires_at }, host, now);
}

/** Returns undefined if no job has ever worked on the area. */
export function readFenceRow(db: ReadonlyArea): FenceRow | undefined {
  if (!hasTable(db, "area", "mtjobs_fence")) return undefined;
  return db
    .prepare<[], FenceRow>(
      "SELECT token, holder, job_id, acquired_at, expires_at, renewed_at FROM area.mtjobs_fence WHERE id = 1",
    )
    .get();
}

/** Returns the names of a table's columns; [] if there is no such table. */
export function columnsOf(db: ReadonlyArea, part: Part, table: string): string[] {
  return db
    .prepare<[string, string], string>("SELECT name FROM pragma_table_info(?, ?)")
    .pluck()
    .all(table, part);
}

export function hasTable(db: ReadonlyArea, part: Part, table: string): boolean {
  const found = db.prepare(
    `SELECT 1 FROM ${part}.sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE`,
  );
  return found.get(table) !== undefined;
}

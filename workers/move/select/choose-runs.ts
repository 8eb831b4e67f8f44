import { setImmediate as yieldNow } from "node:timers/promises";
import { gapName, guardName, notNamed } from "../../../shared/area-db/hidden-row-names.ts";

import { matchRun, targetSql } from "../../../shared/area-db/match-run.ts";
import type { ReducePayload } from "../../../shared/contract/payload.ts";

import { type Connection, prepared } from "../../../shared/sqlite/connection.ts";
import { idList, preparedIds } from "../../../shared/sqlite/ids.ts";
import { isOddTime, seconds, shownTime } from "../../../shared/sqlite/times.ts";
import { labelOf, oddTimeText, type Run, writeSeconds } from "../../area-db/run.ts";
import { planOf } from "../../records/record-session.ts";
import { sameRow } from "../../records/row-sql.ts";
import type { JobSession } from "../session/job-session.ts";
import { warnOfNoMatch, warnOfUnknownIds } from "./unknown-ids.ts";

/** Rows of `runs` read in one statement. */
const chunk = 2_000;

/** A run that matches. */
export interface Candidate extends Run {
  state: string;
  /** Seconds since 1970. */
  eventTime: number;
  /** The value as SQL shows it, if it is not a time in seconds; else null. */
  oddTime: string | null;
}

/**
 * Returns the runs that match the patterns and ids, oldest id first. Those kept back by their own row (`--keep`,
 * `--age`, locked, a conflict) are tallied as skipped; tests and steps are checked later.
 */
export async function chooseRuns(session: JobSession, payload: ReducePayload): Promise<bigint[]> {
  await warnOfUnknownIds(session, payload.runId, "area");
  const matching = (await matchingRuns(session, payload)).filter((run) => run.state !== "deleted");
  if (matching.length === 0) await warnOfNoMatch(session, payload, session.fresh);
  const kept = newestPerTarget(matching, payload.keep ?? 0);
  const conflicting = await findConflicts(session, matching);
  const cutoff = payload.age === undefined ? Number.POSITIVE_INFINITY : (session.now - payload.age) / 1000;
  const chosen: bigint[] = [];
  for (const run of matching) {
    if (kept.has(run.id)) session.tally.skip(labelOf(run), "kept");
    else if (conflicting.has(run.id)) session.tally.skip(labelOf(run), "conflict");
    else if (run.state === "locked" && !payload.includeLocked) session.tally.skip(labelOf(run), "locked");
    else if (run.eventTime > cutoff) {
      session.tally.skip(labelOf(run), "recent");
      if (run.oddTime !== null)
        session.tally.warn(oddTimeText(run, `its event_time is ${run.oddTime}`, writeSeconds));
    } else chosen.push(run.id);
  }
  return chosen.sort(byId);
}

const byId = (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0);

/** SQL: `eventTime` and `oddTime` of a row of runs. */
export const timesOf = (alias: string) =>
  `${seconds(`${alias}.event_time`)} AS eventTime,
    CASE WHEN ${isOddTime(`${alias}.event_time`)} THEN ${shownTime(alias)} END AS oddTime`;

/** Reads runs by a statement with `id`, `target`, `runname`, `state` and `timesOf`. */
export function candidates(db: Connection, sql: string, parameters: readonly unknown[]): Candidate[] {
  const rows = prepared<unknown[], Candidate>(db, sql)
    .safeIntegers()
    .all(...parameters);
  return rows.map((run) => ({ ...run, eventTime: Number(run.eventTime) }));
}

async function matchingRuns(session: JobSession, payload: ReducePayload): Promise<Candidate[]> {
  const runs: Candidate[] = [];
  const parts = session.fresh === "cache" ? (["cache", "area"] as const) : (["area"] as const);
  for (const part of parts) {
    // The cache's row is the fresher one; megatest.db adds rows that the cache lacks.
    const alone =
      part === session.fresh ? "1" : "NOT EXISTS (SELECT 1 FROM cache.runs AS c WHERE c.id = r.id)";
    const { sql, parameters } = matchRun(session.keys, payload);
    const read = `SELECT r.id AS id, ${targetSql(session.keys, "r")} AS target, coalesce(r.runname, '') AS runname,
         coalesce(r.state, '') AS state, ${timesOf("r")}
       FROM ${part}.runs AS r WHERE ${sql} AND r.id BETWEEN ? AND ? AND ${alone} AND ${notNamed("runs", "r", guardName, gapName)}
         AND NOT EXISTS (SELECT 1 FROM completed.mtjobs_runs AS m WHERE m.run_id = r.id) ORDER BY r.id`;
    for await (const range of session.idRanges(`${part}.runs`, chunk)) {
      const found = await session.read(() => candidates(session.db, read, [...parameters, ...range]));
      for (const run of found) runs.push(run);
    }
  }
  return runs;
}

/** Returns the newest `keep` runs of each target. */
export function newestPerTarget(runs: readonly Candidate[], keep: number): Set<bigint> {
  const kept = new Set<bigint>();
  if (keep === 0) return kept;
  const seen = new Map<string, number>();
  for (const run of runs.toSorted((a, b) => b.eventTime - a.eventTime || byId(b.id, a.id))) {
    const rank = seen.get(run.target) ?? 0;
    seen.set(run.target, rank + 1);
    if (rank < keep) kept.add(run.id);
  }
  return kept;
}

/**
 * Returns the runs whose target and name completed-runs.db has under another id, or that megatest.db and the cache
 * have under two ids: only a person can decide which is meant.
 */
async function findConflicts(session: JobSession, runs: readonly Candidate[]): Promise<Set<bigint>> {
  const conflicts = new Set<bigint>();
  for (let from = 0; from < runs.length; from += chunk) {
    const found = await session.read(() => conflictsAmong(session, runs.slice(from, from + chunk)));
    for (const id of found) conflicts.add(id);
    await yieldNow();
  }
  return conflicts;
}

function conflictsAmong(session: JobSession, runs: readonly Candidate[]): bigint[] {
  const name = planOf(session, "runs").naturalKey;
  const others = ["completed", ...(session.fresh === "cache" ? ["cache", "area"] : [])];
  const own = session.fresh === "cache" ? ["cache", "area"] : ["area"];
  const conflicts: bigint[] = [];
  const ids = idList(runs.map((run) => run.id));
  for (const part of own) {
    for (const other of others.filter((candidate) => candidate !== part)) {
      const found = preparedIds<[string]>(
        session.db,
        `SELECT r.id FROM json_each(?) AS j CROSS JOIN ${part}.runs AS r ON r.id = j.value
           CROSS JOIN ${other}.runs AS o ON o.runname = r.runname
           WHERE o.id <> r.id AND ${sameRow("o", "r", name)}`,
      ).all(ids);
      conflicts.push(...found);
    }
  }
  return conflicts;
}

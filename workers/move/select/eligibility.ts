import { targetSql } from "../../../shared/area-db/match-run.ts";
import type { IdentifiedTable } from "../../../shared/area-db/record-tables.ts";
import { defaultDeadAfterMs } from "../../../shared/contract/defaults.ts";
import type { SkipReason } from "../../../shared/contract/move-result.ts";
import type { ReducePayload } from "../../../shared/contract/payload.ts";
import { prepared } from "../../../shared/sqlite/connection.ts";
import { isOddTime, lifeOf, mayExceed, seconds, shownTime } from "../../../shared/sqlite/times.ts";
import type { Run } from "../../area-db/run.ts";
import { planOf } from "../../records/record-session.ts";
import { sameRow } from "../../records/row-sql.ts";
import { isUnfinished } from "../../records/test-states.ts";
import type { JobSession } from "../session/job-session.ts";

/** Facts about a run from its staged rows; slices of one run add up. */
export interface RunFacts extends Run {
  state: string;
  /** False if the run's row was not found: a client deleted it since it was chosen. */
  exists: boolean;
  /** Latest activity, seconds since 1970. */
  activity: number;
  /** Latest activity of an unfinished test, seconds since 1970; undefined if all have ended. */
  unfinished: number | undefined;
  unfinishedTests: number;
  /** A time of the run that is not a number of seconds, with its value. */
  oddTime: string | undefined;
}

/** Returns the facts of the staged runs, by run id. */
export function gatherFacts(
  session: JobSession,
  runs: readonly bigint[],
  known: ReadonlyMap<bigint, RunFacts>,
): Map<bigint, RunFacts> {
  const facts = new Map<bigint, RunFacts>();
  for (const id of runs) {
    facts.set(id, { ...(known.get(id) ?? unknownRun(id)) });
  }
  for (const [id, target, runname, state, activity] of readRuns(session)) {
    const run = facts.get(id);
    if (run !== undefined)
      Object.assign(run, {
        exists: true,
        target,
        runname,
        state,
        activity: Math.max(run.activity, Number(activity)),
      });
  }
  for (const [id, activity] of readActivity(session)) {
    const run = facts.get(id);
    if (run !== undefined) run.activity = Math.max(run.activity, Number(activity));
  }
  for (const [id, life, count] of readUnfinished(session)) {
    const run = facts.get(id);
    if (run === undefined) continue;
    run.unfinished = Math.max(run.unfinished ?? 0, Number(life));
    run.unfinishedTests += Number(count);
  }
  for (const [id, what] of readOddTimes(session)) {
    const run = facts.get(id);
    if (run !== undefined) run.oddTime ??= what;
  }
  return facts;
}

/** Returns one such time for each run that has any. */
function readOddTimes(session: JobSession): [bigint, string][] {
  return prepared<[], [bigint, string]>(
    session.db,
    `SELECT run_id, min(what) FROM (
       SELECT r.id AS run_id, 'its event_time is ' || ${shownTime("r")} AS what FROM temp.stage_runs AS r WHERE ${isOddTime("r.event_time")}
       UNION ALL SELECT x.run_id, 'event_time of test ' || x.id || ' is ' || ${shownTime("x")} FROM temp.stage_tests AS x
         WHERE ${isOddTime("x.event_time")}
       UNION ALL SELECT ${runOfTest}, 'event_time of a step of test ' || x.test_id || ' is ' || ${shownTime("x")}
         FROM temp.stage_test_steps AS x WHERE ${isOddTime("x.event_time")})
     WHERE run_id IS NOT NULL GROUP BY run_id`,
  )
    .safeIntegers()
    .raw()
    .all();
}

function unknownRun(id: bigint): RunFacts {
  return {
    id,
    target: "",
    runname: "",
    state: "",
    exists: false,
    activity: 0,
    unfinished: undefined,
    unfinishedTests: 0,
    oddTime: undefined,
  };
}

/** Returns why the run must stay, or undefined. `deleted` runs are hidden everywhere and not reported. */
export function judgeRun(
  run: RunFacts,
  payload: ReducePayload,
  now: number,
): SkipReason | "deleted" | undefined {
  if (run.state === "deleted") return "deleted";
  if (run.state === "locked" && !payload.includeLocked) return "locked";
  const deadBefore = (now - (payload.deadAfter ?? defaultDeadAfterMs)) / 1000;
  if (run.unfinished !== undefined && run.unfinished >= deadBefore) return "in-flight";
  if (payload.age !== undefined && run.activity > (now - payload.age) / 1000) return "recent";
  return undefined;
}

/** See `JobSession`. */
type Recent = Pick<JobSession, "recentAfter">;

function readRuns(session: JobSession): [bigint, string, string, string, bigint][] {
  return prepared<Recent, [bigint, string, string, string, bigint]>(
    session.db,
    `SELECT r.id, ${targetSql(session.keys, "r")}, coalesce(r.runname, ''), coalesce(r.state, ''),
         max(${seconds("r.event_time")}, ${unsyncedUpdate(session, "runs", "r")})
       FROM temp.stage_runs AS r`,
  )
    .safeIntegers()
    .raw()
    .all({ recentAfter: session.recentAfter });
}

/** Reads activity of tests, steps and data; rows too old to matter are not joined to their run. */
function readActivity(session: JobSession): [bigint, bigint][] {
  const [ofTest, ofStep, ofDatum] = (["tests", "test_steps", "test_data"] as const).map((table) =>
    unsyncedUpdate(session, table, "x"),
  );
  const isRecent = (...times: string[]) => times.map((time) => mayExceed(time, ":recentAfter")).join(" OR ");
  const updated = ofStep === "0" ? [] : ["x.last_update"];
  const activities = [
    ["tests", `max(${lifeOf("x")}, ${ofTest})`, "1"],
    ["test_steps", `max(${seconds("x.event_time")}, ${ofStep})`, isRecent("x.event_time", ...updated)],
    ["test_data", ofDatum, ofDatum === "0" ? "0" : isRecent("x.last_update")],
  ].map(
    // A site may have a column with any name: none of its columns is in reach of `life`.
    ([table, life, mayBeRecent]) => `SELECT ${table === "tests" ? "x.run_id" : runOfTest} AS run_id, life
      FROM (SELECT x.${table === "tests" ? "run_id" : "test_id"}, ${life} AS life FROM temp.stage_${table} AS x WHERE ${mayBeRecent}) AS x
      WHERE life > :recentAfter`,
  );
  return prepared<Recent, [bigint, bigint]>(
    session.db,
    `SELECT run_id, max(life) FROM (${activities.join(" UNION ALL ")}) WHERE run_id IS NOT NULL GROUP BY run_id`,
  )
    .safeIntegers()
    .raw()
    .all({ recentAfter: session.recentAfter });
}

const runOfTest = "(SELECT t.run_id FROM temp.stage_tests AS t WHERE t.id = x.test_id)";

/** Reads, per run, the latest activity of its unfinished tests, and their number. */
function readUnfinished(session: JobSession): [bigint, bigint, bigint][] {
  return prepared<Recent, [bigint, bigint, bigint]>(
    session.db,
    `SELECT t.run_id, max(max(${lifeOf("t")}, ${unsyncedUpdate(session, "tests", "t")}, coalesce((
           SELECT max(${seconds("s.event_time")}) FROM temp.stage_test_steps AS s WHERE s.test_id = t.id), 0))), count(*)
       FROM temp.stage_tests AS t WHERE ${isUnfinished(`${session.fresh}.tests`)} GROUP BY t.run_id`,
  )
    .safeIntegers()
    .raw()
    .all({ recentAfter: session.recentAfter });
}

/**
 * SQL: `last_update` of a row that differs from the ref, else 0. Only then is it the time of a client's write;
 * otherwise it is that of a sync or refill. Takes `:recentAfter`.
 */
function unsyncedUpdate(session: JobSession, table: IdentifiedTable, alias: string): string {
  const plan = planOf(session, table);
  // Only a cache has a ref, and is then the fresh part.
  if (!plan.columnsIn("completed").includes("last_update") || !session.sources.includes("ref")) return "0";
  // Most rows are old: only recent ones are compared with the ref.
  return `CASE WHEN ${seconds(`${alias}.last_update`)} > :recentAfter AND NOT EXISTS (SELECT 1 FROM ref.${table} AS synced
      WHERE synced.id = ${alias}.id AND ${sameRow("synced", alias, plan.carried("cache", "ref"))})
    THEN ${seconds(`${alias}.last_update`)} ELSE 0 END`;
}

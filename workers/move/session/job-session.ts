import { defaultDeadAfterMs } from "../../../shared/contract/defaults.ts";
import type { MoveResult } from "../../../shared/contract/move-result.ts";
import type { ReducePayload } from "../../../shared/contract/payload.ts";
import type { Connection } from "../../../shared/sqlite/connection.ts";
import { plural } from "../../../shared/text.ts";
import type { OpenedArea } from "../../area-db/open-area.ts";
import { Tally } from "../../area-db/tally.ts";
import { AreaSession, type AreaSessionOptions, areaSetup, type Kept } from "../../records/area-session.ts";
import { BatchSize } from "./batch-size.ts";
import { TimeBudget } from "./time-budget.ts";

export interface JobSessionOptions extends AreaSessionOptions {
  time: TimeBudget;
  now: number;
  recentAfter: number;
  tally: Tally;
  counts: Record<Direction, Tally>;
}

/** What jobs do with runs. */
export type Direction = Exclude<MoveResult["job"], "repair">;

/** A repair finishes reduces. */
export const directionOf = (job: MoveResult["job"]): Direction => (job === "repair" ? "reduce" : job);

/** A reduce, a restore or a repair at work on an area: its session with what it counts and chooses by. */
export class JobSession extends AreaSession {
  readonly time: TimeBudget;
  /** Start of the job, ms since 1970: ages count from here. */
  readonly now: number;
  /** Seconds since 1970: older activity keeps no run back, so it need not be exact. */
  readonly recentAfter: number;
  /** Counts of this job. */
  readonly tally: Tally;
  /** By direction: `tally`, and what was finished of an interrupted job of another direction. */
  readonly counts: Record<Direction, Tally>;
  readonly batchSize: BatchSize;

  constructor({ time, now, recentAfter, tally, counts, ...session }: JobSessionOptions) {
    super(session);
    this.time = time;
    this.now = now;
    this.recentAfter = recentAfter;
    this.tally = tally;
    this.counts = counts;
    this.batchSize = new BatchSize(this.fresh);
  }

  /** Returns whether the job must end; if so, logs it and counts the `left` runs as left to the next job. */
  endEarly(left: number): boolean {
    const by = this.time.up();
    if (by === undefined) return false;
    this.tally.leave(by, left);
    this.context.log(`Time is up (${by}): ${plural(left, "run")} left for the next job.`);
    return true;
  }

  override countKept({ conflicts, unsynced }: Kept): void {
    this.tally.superseded += conflicts;
    this.tally.unsynced += unsynced;
  }
}

/** Options of a job's session. @throws JobsError `unknown-schema` */
export function jobSetup(
  db: Connection,
  { area, files, context, tally }: OpenedArea,
  payload: Partial<Pick<ReducePayload, "age" | "deadAfter" | "between" | "maxTime" | "tz" | "dryRun">>,
  job: MoveResult["job"],
): Omit<JobSessionOptions, "times"> {
  const now = Date.now();
  const settledMs = Math.max(payload.age ?? 0, payload.deadAfter ?? defaultDeadAfterMs);
  return {
    ...areaSetup(db, { area, files }, context),
    time: new TimeBudget(payload),
    now,
    recentAfter: Math.floor((now - settledMs) / 1000),
    tally,
    counts: {
      ...{ reduce: new Tally(), restore: new Tally(), purge: new Tally(), import: new Tally() },
      [directionOf(job)]: tally,
    },
  };
}

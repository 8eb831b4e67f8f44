import { defaultDeadAfterMs } from "../../shared/queue/grace.ts";
import type { MovePayload } from "../../shared/queue/payload.ts";
import type { MoveResult } from "../../shared/result.ts";
import type { Connection } from "../../shared/sqlite/connection.ts";
import { AreaSession, type AreaSessionOptions, areaSetup, type Kept } from "../area-db/area-session.ts";
import { Pace } from "./pace.ts";
import type { OpenedArea } from "./prepare.ts";
import { Tally } from "./tally.ts";
import { TimeBudget } from "./time-budget.ts";

export interface JobSessionOptions extends AreaSessionOptions {
  time: TimeBudget;
  now: number;
  recentAfter: number;
  tally: Tally;
  counts: Record<"reduce" | "restore", Tally>;
}

/** A reduce, a restore or a repair at work on an area: its session with what it counts and chooses by. */
export class JobSession extends AreaSession {
  readonly time: TimeBudget;
  /** Start of the job, ms since 1970: ages count from here. */
  readonly now: number;
  /** Seconds since 1970: older activity keeps no run back, so it need not be exact. */
  readonly recentAfter: number;
  /** Counts of this job. */
  readonly tally: Tally;
  /** By direction: `tally`, and what was finished of an interrupted job of the other direction. */
  readonly counts: Record<"reduce" | "restore", Tally>;
  readonly pace: Pace;

  constructor({ time, now, recentAfter, tally, counts, ...session }: JobSessionOptions) {
    super(session);
    this.time = time;
    this.now = now;
    this.recentAfter = recentAfter;
    this.tally = tally;
    this.counts = counts;
    this.pace = new Pace(this.fresh);
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
  payload: Partial<Pick<MovePayload, "age" | "deadAfter" | "between" | "maxTime" | "tz">>,
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
    counts: { reduce: new Tally(), restore: new Tally(), [job === "restore" ? job : "reduce"]: tally },
  };
}

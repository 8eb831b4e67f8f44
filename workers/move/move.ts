import { AreaSession, type AreaSessionOptions, type Kept } from "../area-db/area-session.ts";
import { Pace } from "./pace.ts";
import type { RecordPlan } from "./record-tables.ts";
import type { Tally } from "./tally.ts";
import type { TimeBudget } from "./time-budget.ts";

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

export function planOf(session: Pick<AreaSession, "records">, table: RecordPlan["table"]): RecordPlan {
  const plan = session.records.find((record) => record.table === table);
  if (plan === undefined) throw new TypeError(`no table ${table}`);
  return plan;
}

/** Returns the plans of the tables with this parent, of those that Megatest syncs or of the others. */
export function plansBy(
  session: Pick<AreaSession, "records">,
  parent: RecordPlan["parent"],
  synced: boolean,
): readonly RecordPlan[] {
  return session.records.filter((record) => record.parent === parent && record.synced === synced);
}

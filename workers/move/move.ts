import type { Area } from "../../shared/area/area.ts";
import type { JobContext } from "../../shared/job-context.ts";
import type { Connection, Part } from "../../shared/sqlite/connection.ts";
import type { Pace } from "./pace.ts";
import type { Plans } from "./plans.ts";
import type { RecordPlan } from "./record-tables.ts";
import type { Tally } from "./tally.ts";
import type { TimeBudget } from "./time-budget.ts";

/** The databases that hold a run before it moves, in the order of removal. */
export const removalOrder = ["cache", "ref", "area"] as const satisfies readonly Part[];
export type Source = (typeof removalOrder)[number];

/** Paths of the databases; the cache's are missing if `/tmp` was cleaned or never filled. */
export interface Files {
  area: string;
  cache?: string;
  ref?: string;
  completed: string;
}

/** State shared by all steps of one job. */
export interface Move {
  context: JobContext;
  area: Area;
  files: Files;
  /** The sources, in order of removal. */
  sources: readonly Source[];
  /** Where the freshest data is: the cache, or megatest.db without one. */
  fresh: "cache" | "area";
  /** All databases attached; used by the job's own thread. */
  db: Connection;
  /** Target keys of the area, in order. */
  keys: readonly string[];
  plans: Plans;
  /** Those of `plans`. */
  records: readonly RecordPlan[];
  /** The fence's token; 0 in a dry run, which commits nothing. */
  token: number;
  pace: Pace;
  time: TimeBudget;
  /** Start of the job, ms since 1970: ages count from here. */
  now: number;
  /** Seconds since 1970: older activity keeps no run back, so it need not be exact. */
  recentAfter: number;
  /** Counts of this job. */
  tally: Tally;
  /** By direction: `tally`, and what was finished of an interrupted job of the other direction. */
  counts: Record<"reduce" | "restore", Tally>;
}

export function planOf(move: Pick<Move, "records">, table: RecordPlan["table"]): RecordPlan {
  const plan = move.records.find((record) => record.table === table);
  if (plan === undefined) throw new TypeError(`no table ${table}`);
  return plan;
}

/** Returns the plans of the tables with this parent, of those that Megatest syncs or of the others. */
export function plansBy(
  move: Pick<Move, "records">,
  parent: RecordPlan["parent"],
  synced: boolean,
): readonly RecordPlan[] {
  return move.records.filter((record) => record.parent === parent && record.synced === synced);
}

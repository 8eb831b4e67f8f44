import type { Area } from "../../shared/area/area.ts";
import type { JobContext } from "../../shared/job-context.ts";
import type { Connection, Part } from "../../shared/sqlite/connection.ts";
import type { Pace } from "./pace.ts";
import type { Plans } from "./plans.ts";
import type { RecordPlan } from "./record-tables.ts";
import type { Tally } from "./tally.ts";
import type { TimeBudget } from "./time-budget.ts";

/** The databases of an area that hold runs before a move, in the order in which a run is removed from them. */
export const removalOrder = ["cache", "ref", "area"] as const satisfies readonly Part[];
export type Source = (typeof removalOrder)[number];

/** Paths of the databases at hand; the cache's are missing where `/tmp` was cleaned or never filled. */
export interface Files {
  area: string;
  cache?: string;
  ref?: string;
  completed: string;
}

/** What every step of one job shares. */
export interface Move {
  context: JobContext;
  area: Area;
  files: Files;
  /** The sources at hand, in order of removal. */
  sources: readonly Source[];
  /** Where the freshest data is: the cache, or megatest.db where there is none. */
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
  /** When the job began, ms since 1970: ages count from here. */
  now: number;
  /** Seconds since 1970: activity before this holds no run back, so it need not be known exactly. */
  recentAfter: number;
  /** What this job does. */
  tally: Tally;
  /** By direction: `tally`, and what was finished of an interrupted job of the other direction. */
  counts: Record<"reduce" | "restore", Tally>;
}

export function planOf(move: Pick<Move, "records">, table: RecordPlan["table"]): RecordPlan {
  const plan = move.records.find((record) => record.table === table);
  if (plan === undefined) throw new TypeError(`no table ${table}`);
  return plan;
}

/** The plans of the tables whose rows hang on a test or a run, whichever Megatest's sync carries. */
export function plansBy(
  move: Pick<Move, "records">,
  parent: RecordPlan["parent"],
  synced: boolean,
): readonly RecordPlan[] {
  return move.records.filter((record) => record.parent === parent && record.synced === synced);
}

import type { RunId } from "./run-id.ts";

/** What a finished job returns; the JSON that `--wait --json` and `--inline --json` print. */

/** Tables whose rows belong to a run, in the order results list them. */
export const recordTables = [
  "tests",
  "test_steps",
  "test_data",
  "run_stats",
  "extradat",
  "test_rundat",
  "archives",
] as const;
export type RecordTable = (typeof recordTables)[number];

export interface RunLabel {
  id: RunId;
  /** Key values joined by `/`. */
  target: string;
  runname: string;
}

/** A run that was moved. */
export interface MovedRun extends RunLabel {
  /** The id it had, where that was given to another run meanwhile and it took a new one. */
  previousId?: RunId;
  /** The name it had, where that was registered again meanwhile and it came back under another. */
  previousRunname?: string;
}

/** Why a run that matches the patterns stays. */
export type SkipReason = "in-flight" | "recent" | "kept" | "locked" | "conflict" | "changed";

export interface SkippedRun extends RunLabel {
  reason: SkipReason;
}

export interface ByteChange {
  before: number;
  after: number;
}

/** Rows by table. */
export type MovedRows = Record<"runs" | RecordTable, number>;

/** Why a job ended before it had looked at all runs it had chosen. */
export interface TimeUp {
  by: "max-time" | "between";
  /** Runs that it had chosen and left for the next job. */
  left: number;
}

export interface MoveResult {
  jobId: string;
  /** `repair` finishes what other jobs left, and moves nothing new. */
  job: "reduce" | "restore" | "repair";
  area: string;
  /** null where none exists yet and none may be created (a dry run). */
  areaId: string | null;
  host: string;
  state: "completed" | "failed" | "cancelled";
  dryRun: boolean;
  /** Rows moved by table, with `runs`; complete counts. */
  moved: MovedRows;
  /** What this job finished of an interrupted job of the other kind. */
  finished?: { reduce?: MovedRows; restore?: MovedRows };
  /** Runs that an interrupted job had begun to move or to restore, and that are wholly where they were again. */
  undone?: { reduce?: number; restore?: number };
  /** At most `listLimit`; see `truncated`. */
  runs: MovedRun[];
  skipped: SkippedRun[];
  skippedCounts: Partial<Record<SkipReason, number>>;
  /** There where its time was up before all was done; what it did is done. */
  timeUp?: TimeUp;
  truncated?: true;
  /** Rows that were changed in two places, whose losing version was kept in completed-runs.db (`mtjobs_superseded`). */
  superseded: number;
  /** Older versions kept besides, of rows that were only not synced yet: they lost against nothing. There where it is not 0. */
  unsynced?: number;
  /** Rows that came late for runs moved earlier and were brought to them. */
  late: number;
  /** By file name: `megatest.db`, `completed-runs.db`, `cache/megatest.db`, `cache/megatest_ref.db`. */
  bytes: Record<string, ByteChange>;
  /** Sentences for the operator, at most `listLimit`. */
  warnings: string[];
  elapsedMs: number;
}

/** `runs`, `skipped` and `warnings` hold at most this many each. */
export const listLimit = 1000;

/** A few times a second at most, while a job runs. */
export interface Progress {
  phase: string;
  runs: { done: number; total: number };
  rows: { done: number; total?: number };
}

import type { RunId } from "../sqlite/run-id.ts";

/** The JSON of `--wait --json` and `--inline --json`. */

/** In the order of results. */
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

export interface MovedRun extends RunLabel {
  /** Its former id, if another run has that now. */
  previousId?: RunId;
  /** Its former name, if that was registered again. */
  previousRunname?: string;
}

/** Why a run that matches the patterns was skipped. */
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

/** Why a job ended before it processed all chosen runs. */
export interface TimeUp {
  by: "max-time" | "between";
  /** Chosen runs left for the next job. */
  left: number;
}

export interface MoveResult {
  jobId: string;
  /** `repair` finishes what other jobs left, and moves nothing new. */
  job: "reduce" | "restore" | "repair";
  area: string;
  /** null if there is none and none may be created (a dry run). */
  areaId: string | null;
  host: string;
  state: "completed" | "failed" | "cancelled";
  dryRun: boolean;
  /** Rows moved by table, including `runs`. */
  moved: MovedRows;
  /** Rows of an interrupted job of the other kind. */
  finished?: { reduce?: MovedRows; restore?: MovedRows };
  /** Runs of an interrupted job moved back completely. */
  undone?: { reduce?: number; restore?: number };
  /** At most `listLimit`; see `truncated`. */
  runs: MovedRun[];
  skipped: SkippedRun[];
  skippedCounts: Partial<Record<SkipReason, number>>;
  /** Set if time ran out; finished work is kept. */
  timeUp?: TimeUp;
  truncated?: true;
  /** Rows changed in two places, whose losing version was kept (`mtjobs_superseded`). */
  superseded: number;
  /** Older versions also kept, of rows not synced yet; present if not 0. */
  unsynced?: number;
  /** Late rows merged into runs moved earlier. */
  late: number;
  /** By file name: `megatest.db`, `completed-runs.db`, `cache/megatest.db`, `cache/megatest_ref.db`. */
  bytes: Record<string, ByteChange>;
  /** Sentences for the operator, at most `listLimit`. */
  warnings: string[];
  elapsedMs: number;
}

/** Maximum length of `runs`, `skipped` and `warnings`. */
export const listLimit = 1000;

export interface Progress {
  phase: string;
  runs: { done: number; total: number };
  rows: { done: number; total?: number };
}

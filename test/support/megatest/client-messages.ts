/** Options of a client process: JSON in its first argument. */
export interface ClientOptions {
  cacheDb: string;
  /** Acknowledged writes are appended here, one JSON document per line. */
  journal: string;
  /** Milliseconds between writes; 0: without a pause. */
  everyMs: number;
  /** Target of the run that the client registers; values by key. */
  target: Readonly<Record<string, string>>;
  runname: string;
  /** Tests of other runs that also get activity and steps, as running tests do. */
  testIds?: readonly number[];
}

/** A write that SQLite acknowledged. A later one to the same thing replaces it. */
export interface AcknowledgedWrite {
  /** Counts from 1. */
  number: number;
  table: "runs" | "tests" | "test_steps" | "test_data";
  id: number;
  /** run_id or test_id; null for a run. */
  parent: number | null;
  /** The written columns with their new values. */
  values: Readonly<Record<string, string | number>>;
  /** Milliseconds from asking to acknowledgement: mostly the wait for locks. */
  tookMs: number;
}

/** From the client to the test. */
export type ClientReport =
  | { type: "started"; runId: number }
  | { type: "stopped"; writes: number; longestMs: number }
  | { type: "failed"; message: string; writes: number };

/** From the test to the client. */
export type ClientCommand = { type: "stop" };

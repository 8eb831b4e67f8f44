/** How a client process is started: JSON in its first argument. */
export interface ClientOptions {
  cacheDb: string;
  /** Acknowledged writes are appended here, one JSON document a line. */
  journal: string;
  /** Milliseconds between writes; 0: one after the other without a pause. */
  everyMs: number;
  /** The target of the run that the client registers; values by key. */
  target: Readonly<Record<string, string>>;
  runname: string;
  /** Tests of other runs that get signs of life and steps too, as tests in flight do. */
  testIds?: readonly number[];
}

/** A write that SQLite acknowledged. A later one to the same thing takes the place of an earlier one. */
export interface AcknowledgedWrite {
  /** Counts from 1. */
  number: number;
  table: "runs" | "tests" | "test_steps" | "test_data";
  id: number;
  /** run_id or test_id; null for a run. */
  parent: number | null;
  /** The columns written, with what they hold now. */
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

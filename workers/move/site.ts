import type { Move } from "./move.ts";
import type { Sweeper } from "./sweep.ts";

/** An area under our lease, tidied up after earlier jobs: what a job works with. */
export interface Site {
  move: Move;
  sweeper: Sweeper;
  /** Waits until a sync that had read before now must be done; undefined where no server is alive. */
  syncPass: (() => Promise<void>) | undefined;
  /** Sleeps `ms`, renewing the lease. */
  rest(ms: number): Promise<void>;
}

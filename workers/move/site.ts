import type { Move } from "./move.ts";
import type { Sweeper } from "./sweep.ts";

/** An area under the lease, with earlier jobs finished: what a job works with. */
export interface Site {
  move: Move;
  sweeper: Sweeper;
  /** Waits until a sync that read before now must be done; undefined without a live server. */
  syncPass: (() => Promise<void>) | undefined;
  /** Sleeps `ms`, renewing the lease. */
  rest(ms: number): Promise<void>;
}

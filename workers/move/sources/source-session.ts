import { setTimeout as sleep, setImmediate as yieldNow } from "node:timers/promises";
import type { SessionOptions } from "../../area-db/database-session.ts";
import type { Source } from "../../area-db/databases.ts";
import type { FailpointName } from "../../area-db/failpoint-names.ts";
import type { Plans } from "../../records/plans.ts";
import { RecordSession } from "../../records/record-session.ts";
import { BatchSize, usualAimMs } from "../session/batch-size.ts";
import { WriterGaps } from "./writer-gaps.ts";

/** Bounds of a lock, ms. After one of 18 ms a waiting client sleeps for 10 ms, after a longer one for 15 or more. */
const aimMs = { ref: 60, busy: 15 };

export interface SourceSessionOptions extends SessionOptions {
  part: Source;
  fresh: Source;
  plans: Plans;
  jobId: string;
  stop: AbortSignal;
  beforeSlice(): Promise<void>;
  failpoint(name: FailpointName): void;
}

/** A session of one source's thread: the source and completed-runs.db are attached. `signal` ends it immediately. */
export class SourceSession extends RecordSession {
  readonly part: Source;
  /** The part with the freshest data, whose rows were copied. */
  readonly fresh: Source;
  readonly jobId: string;
  readonly batchSize: BatchSize;
  readonly gaps = new WriterGaps();
  /** End of the current gap, by `performance.now()`. */
  #gapEndsAt = 0;
  /** Aborted: a cut run is left to the next job. */
  readonly stop: AbortSignal;
  /** Awaited before each slice. */
  readonly beforeSlice: () => Promise<void>;
  readonly failpoint: (name: FailpointName) => void;

  constructor({ part, fresh, jobId, stop, beforeSlice, failpoint, ...session }: SourceSessionOptions) {
    super(session);
    this.part = part;
    this.fresh = fresh;
    this.jobId = jobId;
    this.stop = stop;
    this.beforeSlice = beforeSlice;
    this.failpoint = failpoint;
    this.batchSize = new BatchSize(part, () => this.#aimMs);
  }

  get #aimMs(): number {
    // Clients never use the ref; only a sync, which takes longer anyway, waits for a lock there.
    if (this.part === "ref") return aimMs.ref;
    return this.part === this.fresh && this.gaps.isLikely ? aimMs.busy : usualAimMs;
  }

  /** Measures a one-row commit for the batch size: the shortest time that others must wait for a writer. */
  async measureCommit(): Promise<void> {
    await this.read(() => {
      // Outside of what is measured.
      if (this.part === "area") this.keepCacheNewer();
      const started = performance.now();
      this.commitOnce(this.part, () => {});
      this.batchSize.noteOneRowCommit(performance.now() - started);
    });
  }

  /** Prepares a slice: leaves megatest.db to a sync if needed, and measures a commit again when due. */
  async prepareSlice(): Promise<void> {
    await this.beforeSlice();
    if (!this.batchSize.wantsCommit) return;
    await this.passGap();
    await this.measureCommit();
  }

  /** Begins a gap for other writers if one is due after the last lock. Only the database that clients write to needs it. */
  beginGap(): void {
    if (this.part !== this.fresh) return;
    this.#gapEndsAt = performance.now() + this.gaps.gapAfter(this.batchSize.lastMs);
  }

  /** Resolves when the gap is over: call before the next lock, and prepare it meanwhile. Lets the event loop run in any case. */
  async passGap(): Promise<void> {
    const ms = Math.ceil(this.#gapEndsAt - performance.now());
    await (ms > 0 ? sleep(ms) : yieldNow());
  }
}

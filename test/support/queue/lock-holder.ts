import { Worker } from "node:worker_threads";

/**
 * `reading` in rollback mode prevents commits; `writing` prevents other writers; `exclusive` prevents readers, too.
 */
export type LockKind = "exclusive" | "writing" | "reading";

/** Takes short database locks, as other programs do, in its own thread. */
export class LockHolder {
  readonly #state = new Int32Array(new SharedArrayBuffer(8));
  readonly #thread = new Worker(new URL("./lock-holder.mjs", import.meta.url), {
    workerData: this.#state.buffer,
  });

  /**
   * Returns once the lock is taken, and releases it after `ms`. Throws if it cannot be taken within some seconds.
   */
  hold(file: string, kind: LockKind, ms: number): void {
    Atomics.store(this.#state, 0, 0);
    this.#thread.postMessage({ file, kind, ms, timeout: 5_000 });
    Atomics.wait(this.#state, 0, 0, 10_000);
    if (Atomics.load(this.#state, 0) !== 1) throw new Error(`cannot take a ${kind} lock on ${file}`);
  }

  async close(): Promise<void> {
    await this.#thread.terminate();
  }
}

import { Worker } from "node:worker_threads";

/** `reading` in rollback mode keeps writers from committing; `writing` keeps them from beginning; `exclusive` readers, too. */
export type LockKind = "exclusive" | "writing" | "reading";

/** Takes short locks on databases, as programs of other people do, from a thread of its own. */
export class LockHolder {
  readonly #state = new Int32Array(new SharedArrayBuffer(8));
  readonly #thread = new Worker(new URL("./lock-holder.mjs", import.meta.url), {
    workerData: this.#state.buffer,
  });

  /** Returns once the lock is taken, and lets it go after `ms`. Throws where it is not to be had within some seconds. */
  hold(file: string, kind: LockKind, ms: number): void {
    Atomics.store(this.#state, 0, 0);
    this.#thread.postMessage({ file, kind, ms, timeout: 5_000 });
    Atomics.wait(this.#state, 0, 0, 10_000);
    if (Atomics.load(this.#state, 0) !== 1) throw new Error(`no ${kind} lock is to be had on ${file}`);
  }

  async close(): Promise<void> {
    await this.#thread.terminate();
  }
}

import { stopGraceMs } from "../../area-db/transaction.ts";
import { SourceWriter, type SourceWriterHooks, type SourceWriterSetup } from "./source-writer.ts";

/** One job's work on one source, from its start to `close`. */
export class SourceJob {
  /** The job must end: a large run is left to the next job; current work is finished. */
  readonly #stop = new AbortController();
  /** Another holder took over: nothing more may be tried. */
  readonly #lost = new AbortController();
  readonly #writer: Promise<SourceWriter>;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(setup: SourceWriterSetup, hooks: SourceWriterHooks) {
    const signals = { stop: this.#stop.signal, lost: this.#lost.signal };
    this.#writer = SourceWriter.open(setup, signals, hooks);
  }

  /** Runs `work` after the calls before it. */
  inOrder<T>(work: (writer: SourceWriter) => T | Promise<T>): Promise<T> {
    const result = this.#queue.then(() => this.now(work));
    this.#queue = result.catch(() => {});
    return result;
  }

  /** Runs `work` between two slices of a removal, so that the caller need not wait for its end. */
  async now<T>(work: (writer: SourceWriter) => T | Promise<T>): Promise<T> {
    return await work(await this.#writer);
  }

  /** Follows the job's signal. */
  follow(signal: AbortSignal): void {
    signal.addEventListener("abort", () => this.#abort(signal), { once: true });
    if (signal.aborted) this.#abort(signal);
  }

  #abort({ reason }: AbortSignal): void {
    this.#stop.abort(reason);
    if (reason.code === "lost-lease") this.#lost.abort(reason);
    // What is in hand is finished, unless another process keeps the database busy.
    else setTimeout(() => this.#lost.abort(reason), stopGraceMs).unref();
  }
}

// The entry of a source thread. Started by source-client.ts, never imported.
import { failpointFromEnvironment } from "../../area-db/failpoint.ts";
import { stopGraceMs } from "../../area-db/transaction.ts";
import { serveCalls, type ThreadCall } from "../../threads/thread-rpc.ts";
import type { SourceWriterBack, SourceWriterCalls } from "./source-client.ts";
import { SourceWriter, type SourceWriterSetup } from "./source-writer.ts";
import { vacuum } from "./vacuum.ts";

type Call = ThreadCall<SourceWriterBack>;

/** One job's work in this thread, from `open` to `close`. */
class SourceJob {
  /** The job must end: a large run is left to the next job; current work is finished. */
  readonly #stop = new AbortController();
  /** Another holder took over: nothing more may be tried. */
  readonly #lost = new AbortController();
  readonly #writer: Promise<SourceWriter>;
  #queue: Promise<unknown> = Promise.resolve();
  #call: Call;

  constructor(setup: SourceWriterSetup, call: Call) {
    this.#call = call;
    const signals = { stop: this.#stop.signal, lost: this.#lost.signal };
    this.#writer = SourceWriter.open(setup, signals, {
      failpoint: failpointFromEnvironment(process.env.MTJOBS_FAILPOINT),
      // The job's thread knows what else writes to the database.
      enter: () => this.#call.ask("enter", undefined),
    });
  }

  /** Runs `work` after the calls before it. */
  inOrder<T>(call: Call, work: (writer: SourceWriter) => T | Promise<T>): Promise<T> {
    const result = this.#queue.then(() => {
      this.#call = call;
      return this.now(call, work);
    });
    this.#queue = result.catch(() => {});
    return result;
  }

  /** Runs `work` between two slices of a removal, so that the caller need not wait for its end. */
  async now<T>({ signal }: Call, work: (writer: SourceWriter) => T | Promise<T>): Promise<T> {
    signal.addEventListener("abort", () => this.#abort(signal), { once: true });
    if (signal.aborted) this.#abort(signal);
    return await work(await this.#writer);
  }

  #abort({ reason }: AbortSignal): void {
    this.#stop.abort(reason);
    if (reason.code === "lost-lease") this.#lost.abort(reason);
    // What is in hand is finished, unless another process keeps the database busy.
    else setTimeout(() => this.#lost.abort(reason), stopGraceMs).unref();
  }
}

let job: SourceJob | undefined;

function opened(): SourceJob {
  if (job === undefined) throw new TypeError("the source is not open");
  return job;
}

serveCalls<SourceWriterCalls, SourceWriterBack>({
  open: async (setup, call) => {
    job = new SourceJob(setup, call);
    await job.inOrder(call, () => {});
  },
  remove: (removal, call) => opened().inOrder(call, (writer) => writer.remove(removal)),
  insert: (insertion, call) => opened().inOrder(call, (writer) => writer.insert(insertion)),
  findIncomplete: (insertion, call) => opened().inOrder(call, (writer) => writer.findIncomplete(insertion)),
  refresh: (_, call) => opened().inOrder(call, (writer) => writer.refresh()),
  version: (_, call) => opened().now(call, (writer) => writer.version()),
  close: (_, call) => opened().inOrder(call, (writer) => writer.close()),
  vacuum: (order) => vacuum(order),
});

import type { Worker } from "node:worker_threads";
import { type ErrorDocument, JobsError, toJobsError } from "../../shared/errors.ts";
import type { Insertion, InsertionReport } from "./inserter.ts";
import type { Source } from "./move.ts";
import type { Removal, RemovalReport } from "./remover.ts";
import type { StationSetup } from "./station.ts";
import { stationThreads } from "./station-threads.ts";

export type StationRequest =
  | { id: number; call: "remove"; removal: Removal }
  | { id: number; call: "insert" | "find-incomplete"; insertion: Insertion }
  | { id: number; call: "open"; setup: StationSetup }
  | { id: number; call: "refresh" | "version" | "close" };

export type StationCall = StationRequest | { call: "abort"; error: ErrorDocument } | { call: "entered" };

/** What a call comes back with: the report of `remove` or `insert`, runs, the number of `version`. */
export type StationValue = RemovalReport | InsertionReport | bigint[] | number | undefined;

export type StationReply =
  | { ask: "enter" }
  | { id: number; value: StationValue }
  | { id: number; error: ErrorDocument };

/**
 * A station in a thread of its own, so that the sources are worked on side by side.
 */
export class ThreadStation {
  readonly part: Source;
  readonly #thread: Worker;
  readonly #waiting = new Map<number, PromiseWithResolvers<StationValue>>();
  #lastId = 0;
  readonly #enter: () => Promise<void>;
  readonly #signal: AbortSignal;
  readonly #pass: () => void;
  #ended: JobsError | undefined;
  #hasFailed = false;

  /**
   * Starts the thread and resolves once it has its databases open.
   *
   * @param enter awaited now and then between two slices, where the database is shared
   */
  static async start(
    setup: StationSetup,
    signal: AbortSignal,
    enter: () => Promise<void>,
  ): Promise<ThreadStation> {
    const station = new ThreadStation(setup, signal, enter);
    try {
      const opened = station.#call({ id: 0, call: "open", setup });
      // The signal tells of what comes, not of what has been.
      if (signal.aborted) station.#pass();
      await opened;
    } catch (error) {
      await station.#end();
      throw error;
    }
    return station;
  }

  private constructor(setup: StationSetup, signal: AbortSignal, enter: () => Promise<void>) {
    this.part = setup.part;
    this.#enter = enter;
    this.#signal = signal;
    this.#thread = stationThreads.take();
    this.#thread.on("message", (reply: StationReply) =>
      "ask" in reply ? void this.#letEnter() : this.#settle(reply),
    );
    this.#thread.on("error", (error) => this.#fail(toJobsError(error)));
    this.#thread.on("exit", () => this.#fail(new JobsError("internal", `the thread of ${setup.part} ended`)));
    this.#pass = () =>
      this.#thread.postMessage({
        call: "abort",
        error: toJobsError(signal.reason).toDocument(),
      } satisfies StationCall);
    signal.addEventListener("abort", this.#pass, { once: true });
  }

  remove(removal: Removal): Promise<RemovalReport> {
    return this.#call({ id: 0, call: "remove", removal }) as Promise<RemovalReport>;
  }

  async refresh(): Promise<void> {
    await this.#call({ id: 0, call: "refresh" });
  }

  /** See `readVersion`; answered between two slices of a removal. */
  version(): Promise<number> {
    return this.#call({ id: 0, call: "version" }) as Promise<number>;
  }

  insert(insertion: Insertion): Promise<InsertionReport> {
    return this.#call({ id: 0, call: "insert", insertion }) as Promise<InsertionReport>;
  }

  /** See `Inserter`. */
  findIncomplete(insertion: Insertion): Promise<bigint[]> {
    return this.#call({ id: 0, call: "find-incomplete", insertion }) as Promise<bigint[]>;
  }

  /** Keeps the thread for the next job where nothing went wrong in this one. */
  async close(): Promise<void> {
    await this.#call({ id: 0, call: "close" }).catch(() => {});
    if (this.#hasFailed || this.#ended !== undefined || this.#waiting.size > 0) return await this.#end();
    this.#signal.removeEventListener("abort", this.#pass);
    stationThreads.giveBack(this.#thread);
  }

  /** A thread left behind would keep the job's own thread from ending. */
  async #end(): Promise<void> {
    this.#signal.removeEventListener("abort", this.#pass);
    await this.#thread.terminate();
  }

  /** Where waiting fails the job is to end, which the thread is told by itself. */
  async #letEnter(): Promise<void> {
    await this.#enter().catch(() => {});
    this.#thread.postMessage({ call: "entered" } satisfies StationCall);
  }

  #call(call: StationRequest): Promise<StationValue> {
    const id = ++this.#lastId;
    const answer = newAnswer();
    // A thread that is gone answers nothing: say so at once.
    if (this.#ended !== undefined) answer.reject(this.#ended);
    else this.#waiting.set(id, answer);
    this.#thread.postMessage({ ...call, id } satisfies StationCall);
    return answer.promise;
  }

  #settle(reply: Exclude<StationReply, { ask: "enter" }>): void {
    const answer = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ("error" in reply) {
      this.#hasFailed = true;
      answer?.reject(JobsError.fromDocument(reply.error));
    } else answer?.resolve(reply.value);
  }

  #fail(error: JobsError): void {
    this.#ended ??= error;
    for (const answer of this.#waiting.values()) answer.reject(error);
    this.#waiting.clear();
  }
}

/** Starts a station for each of `setups`; where one cannot be started it ends the others and rejects as that one did. */
export async function startStations(
  setups: readonly StationSetup[],
  signal: AbortSignal,
  enter: () => Promise<void>,
): Promise<readonly ThreadStation[]> {
  const starts = await Promise.allSettled(setups.map((setup) => ThreadStation.start(setup, signal, enter)));
  const stations = starts.flatMap((start) => (start.status === "fulfilled" ? [start.value] : []));
  const failed = starts.find((start) => start.status === "rejected");
  if (failed === undefined) return stations;
  await Promise.all(stations.map((station) => station.close()));
  throw failed.reason;
}

/** Promise.withResolvers, which Node 20 lacks. */
interface PromiseWithResolvers<T> {
  promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

function newAnswer(): PromiseWithResolvers<StationValue> {
  let resolve: PromiseWithResolvers<StationValue>["resolve"] = () => {};
  let reject: PromiseWithResolvers<StationValue>["reject"] = () => {};
  const promise = new Promise<StationValue>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

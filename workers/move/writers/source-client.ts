import { toJobsError } from "../../../shared/errors.ts";
import { builtFile } from "../../../shared/process.ts";
import type { Source } from "../../area-db/databases.ts";
import { ThreadPool } from "../../threads/thread-pool.ts";
import type { RpcThread } from "../../threads/thread-rpc.ts";
import type { Insertion, InsertionReport } from "../sources/insert-runs.ts";
import type { Removal, RemovalReport } from "../sources/remove-runs.ts";
import type { Vacuum } from "../sources/vacuum.ts";
import type { SourceWriterSetup } from "./source-writer.ts";

/** What a source thread serves: one job's work from `open` to `close`, or a vacuum. */
export interface SourceWriterCalls {
  open(setup: SourceWriterSetup): void;
  remove(removal: Removal): RemovalReport;
  insert(insertion: Insertion): InsertionReport;
  findIncomplete(insertion: Insertion): bigint[];
  refresh(given: undefined): void;
  version(given: undefined): number;
  close(given: undefined): void;
  vacuum(order: Vacuum): void;
}

export interface SourceWriterBack {
  /** Resolves when the database may be written to. */
  enter(given: undefined): Promise<void>;
}

/** What a job asks of the writer of a source, in a thread or not. */
export type SourceWorker = Pick<
  SourceWriterClient,
  "part" | "remove" | "insert" | "findIncomplete" | "refresh" | "version" | "close"
>;

/** One for each source of an area, kept from one job to the next. */
const sourceThreads = new ThreadPool<SourceWriterCalls, SourceWriterBack>(
  builtFile("workers/move/writers/source-thread.js"),
  "source",
  3,
);

/** A source writer in its own thread, so that the sources are worked on in parallel. */
export class SourceWriterClient {
  readonly part: Source;
  readonly #thread: RpcThread<SourceWriterCalls, SourceWriterBack>;
  readonly #options: NonNullable<Parameters<RpcThread<SourceWriterCalls, SourceWriterBack>["call"]>[2]>;

  /**
   * Starts the thread and resolves when it has opened its databases.
   *
   * @param enter awaited now and then between two slices of a shared database
   */
  static async start(
    setup: SourceWriterSetup,
    signal: AbortSignal,
    enter: () => Promise<void>,
  ): Promise<SourceWriterClient> {
    const writer = new SourceWriterClient(setup.part, signal, enter);
    try {
      await writer.#thread.call("open", setup, writer.#options);
      return writer;
    } catch (error) {
      await writer.close();
      throw error;
    }
  }

  private constructor(part: Source, signal: AbortSignal, enter: () => Promise<void>) {
    this.part = part;
    this.#thread = sourceThreads.take();
    // If waiting fails the job ends, which the thread learns by the signal.
    this.#options = { signal, back: { enter: () => enter().catch(() => {}) } };
  }

  remove(removal: Removal): Promise<RemovalReport> {
    return this.#thread.call("remove", removal, this.#options);
  }

  insert(insertion: Insertion): Promise<InsertionReport> {
    return this.#thread.call("insert", insertion, this.#options);
  }

  /** See `Inserter`. */
  findIncomplete(insertion: Insertion): Promise<bigint[]> {
    return this.#thread.call("findIncomplete", insertion, this.#options);
  }

  refresh(): Promise<void> {
    return this.#thread.call("refresh", undefined, this.#options);
  }

  /** See `readVersion`; answered between two slices of a removal. */
  version(): Promise<number> {
    return this.#thread.call("version", undefined, this.#options);
  }

  async close(): Promise<void> {
    await this.#thread.call("close", undefined).catch(() => {});
    await sourceThreads.giveBack(this.#thread);
  }
}

/** Starts a source writer for each of `setups`; if one fails, ends the others and rejects with its error. */
export async function startSourceWriters(
  setups: readonly SourceWriterSetup[],
  signal: AbortSignal,
  enter: () => Promise<void>,
): Promise<readonly SourceWriterClient[]> {
  const starts = await Promise.allSettled(
    setups.map((setup) => SourceWriterClient.start(setup, signal, enter)),
  );
  const writers = starts.flatMap((start) => (start.status === "fulfilled" ? [start.value] : []));
  const failed = starts.find((start) => start.status === "rejected");
  if (failed === undefined) return writers;
  await Promise.all(writers.map((writer) => writer.close()));
  throw toJobsError(failed.reason);
}

/** `vacuum` in a thread, while this one renews the lease. @throws JobsError as it does */
export async function vacuumInThread(order: Vacuum): Promise<void> {
  const thread = sourceThreads.take();
  try {
    await thread.call("vacuum", order);
  } finally {
    await sourceThreads.giveBack(thread);
  }
}

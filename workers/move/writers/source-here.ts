import type { Insertion, InsertionReport } from "../sources/insert-runs.ts";
import type { Removal, RemovalReport } from "../sources/remove-runs.ts";
import type { SourceWorker } from "./source-client.ts";
import { SourceJob } from "./source-job.ts";
import type { SourceWriterHooks, SourceWriterSetup } from "./source-writer.ts";

/** A source writer in this thread: for little work, the start of a thread takes longer than the work. */
class SourceWriterHere implements SourceWorker {
  readonly part: SourceWorker["part"];
  readonly #job: SourceJob;

  constructor(setup: SourceWriterSetup, signal: AbortSignal, hooks: SourceWriterHooks) {
    this.part = setup.part;
    this.#job = new SourceJob(setup, hooks);
    this.#job.follow(signal);
  }

  /** Resolves when the databases are open. */
  opened(): Promise<void> {
    return this.#job.inOrder(() => {});
  }

  remove(removal: Removal): Promise<RemovalReport> {
    return this.#job.inOrder((writer) => writer.remove(removal));
  }

  insert(insertion: Insertion): Promise<InsertionReport> {
    return this.#job.inOrder((writer) => writer.insert(insertion));
  }

  findIncomplete(insertion: Insertion): Promise<bigint[]> {
    return this.#job.inOrder((writer) => writer.findIncomplete(insertion));
  }

  refresh(): Promise<void> {
    return this.#job.inOrder((writer) => writer.refresh());
  }

  version(): Promise<number> {
    return this.#job.now((writer) => writer.version());
  }

  async close(): Promise<void> {
    // A failure to open was reported to the caller.
    await this.#job.inOrder((writer) => writer.close()).catch(() => {});
  }
}

/** Opens a source writer for each of `setups`; if one fails, closes the others and rejects with its error. */
export async function openSourceWriters(
  setups: readonly SourceWriterSetup[],
  signal: AbortSignal,
  hooks: SourceWriterHooks,
): Promise<readonly SourceWorker[]> {
  const writers: SourceWriterHere[] = [];
  try {
    for (const setup of setups) {
      const writer = new SourceWriterHere(setup, signal, hooks);
      writers.push(writer);
      await writer.opened();
    }
    return writers;
  } catch (error) {
    await Promise.all(writers.map((writer) => writer.close()));
    throw error;
  }
}

import { dirname } from "node:path";
import { syncDirectory } from "../../../shared/files/sync-directory.ts";
import { CacheTimes, type CacheTimesSetup } from "../../area-db/cache-mtime.ts";
import { DatabaseSession } from "../../area-db/database-session.ts";
import { connect, type Files, type Source } from "../../area-db/databases.ts";
import type { FailpointName } from "../../area-db/failpoint-names.ts";
import { retryWhileBusy } from "../../area-db/transaction.ts";
import { indexChildren } from "../../records/child-index.ts";
import { Plans } from "../../records/plans.ts";
import { Inserter, type Insertion, type InsertionReport } from "../sources/insert-runs.ts";
import { type Removal, type RemovalReport, Remover } from "../sources/remove-runs.ts";
import { readVersion } from "../sources/remove-slice.ts";
import { SourceSession } from "../sources/source-session.ts";

/** Configuration of a source writer; plain data, to be sent to a thread. */
export interface SourceWriterSetup {
  part: Source;
  fresh: Source;
  files: Files;
  keys: readonly string[];
  token: number;
  jobId: string;
  times: CacheTimesSetup;
  /** True if the database must be left alone at times, also within a run; the starting thread says when. */
  shared: boolean;
}

/** How often a source writer asks whether to leave its database alone, ms. */
const askEveryMs = 100;

/** What ends the work: `stop` at the next slice of a large run, `lost` immediately. */
export interface SourceWriterSignals {
  stop: AbortSignal;
  lost: AbortSignal;
}

export interface SourceWriterHooks {
  failpoint(name: FailpointName): void;
  /** Resolves when the database may be written to. */
  enter(): Promise<void>;
}

/** Calls `enter` if the last call is some time ago. */
function nowAndThen(enter: () => Promise<void>): () => Promise<void> {
  let askedAt = performance.now();
  return async () => {
    if (performance.now() - askedAt < askEveryMs) return;
    await enter();
    askedAt = performance.now();
  };
}

/** Works on one source: removes runs from it, or inserts them. */
export class SourceWriter {
  readonly #session: SourceSession;
  readonly #remover: Remover;
  readonly #inserter: Inserter;
  /** Directory of the source. */
  readonly #directory: string;

  private constructor(session: SourceSession, directory: string) {
    this.#session = session;
    this.#directory = directory;
    this.#remover = new Remover(session);
    this.#inserter = new Inserter(session);
  }

  /** Opens the databases and maps the tables without an index. */
  static async open(
    setup: SourceWriterSetup,
    { stop, lost: signal }: SourceWriterSignals,
    { failpoint, enter }: SourceWriterHooks,
  ): Promise<SourceWriter> {
    // The block of a late test may be in the other source.
    const others: readonly Source[] = setup.part === "ref" ? [] : ["cache", "area"];
    const parts = [...new Set([setup.part, ...others, "completed" as const])];
    const db = await retryWhileBusy(signal, () => connect(setup.files, parts));
    try {
      const { part, fresh, keys, token, jobId, files, shared } = setup;
      const writer = new DatabaseSession({ db, signal, token });
      // No slice relies on another's commit, and with FULL each syncs the directory when it makes its journal: a sync
      // at the end of a batch is enough. Commits to completed-runs.db are durable immediately.
      await retryWhileBusy(signal, () => db.pragma(`${part}.synchronous = FULL`));
      const plans = await writer.read(() => new Plans({ db, sources: [part], keys }, writer));
      const session = new SourceSession({
        ...{ db, signal, token, plans, part, fresh, jobId, stop, failpoint },
        times: new CacheTimes(setup.times),
        beforeSlice: shared ? nowAndThen(enter) : async () => {},
      });
      await indexChildren(session, part);
      return new SourceWriter(session, dirname(files[part] ?? ""));
    } catch (error) {
      db.close();
      throw error;
    }
  }

  /** Measures a few commits for the size of the first slices. Not for little work, which they would delay. */
  async measureCommits(): Promise<void> {
    for (let sample = 0; sample < 3; sample++) await this.#session.measureCommit();
  }

  remove(removal: Removal): Promise<RemovalReport> {
    return this.#durably(this.#remover.remove(removal));
  }

  insert(insertion: Insertion): Promise<InsertionReport> {
    return this.#durably(this.#inserter.insert(insertion));
  }

  /** Makes finished work durable against a power cut; see `open`. */
  async #durably<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } finally {
      syncDirectory(this.#directory);
    }
  }

  /** See `Inserter`. */
  findIncomplete(runs: Insertion): Promise<bigint[]> {
    return this.#inserter.findIncomplete(runs);
  }

  /** Maps the tables without an index again: rows may have come since. */
  async refresh(): Promise<void> {
    await this.#session.plans.renew(this.#session);
    await indexChildren(this.#session, this.#session.part);
  }

  /** See `readVersion`. */
  version(): Promise<number> {
    const { db, part } = this.#session;
    return this.#session.read(() => readVersion(db, part));
  }

  close(): void {
    this.#session.db.close();
  }
}

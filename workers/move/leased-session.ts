import { statSync } from "node:fs";
import type { CachePair } from "../../shared/area/cache/cache.ts";
import { type Part, prepared } from "../../shared/sqlite/connection.ts";
import { idList } from "../../shared/sqlite/ids.ts";
import { aliveServers } from "../area-db/alive-servers.ts";
import { type CacheTimes, cacheTimesSetup } from "../area-db/cache-mtime.ts";
import type { FailpointName } from "../area-db/failpoint-names.ts";
import { restUnderLease } from "../area-db/lease.ts";
import type { SearchedUpTo } from "./select/find-late-rows.ts";
import { JobSession, type JobSessionOptions } from "./session/job-session.ts";
import { startSourceWriters } from "./writers/source-client.ts";
import { openSourceWriters } from "./writers/source-here.ts";
import { SourcePipeline } from "./writers/source-pipeline.ts";

export interface LeasedSessionOptions extends JobSessionOptions {
  times: CacheTimes;
  token: number;
  cache: CachePair | undefined;
}

/** Tests up to which no threads are started for the sources. */
const littleWork = 400;

/** What writes to the sources, and leaves a live server its syncs. */
interface Writing {
  pipeline: SourcePipeline;
  afterSync: (() => Promise<void>) | undefined;
}

/** A job under the area's lease, with the threads that write to the sources. */
export class LeasedSession extends JobSession {
  declare times: CacheTimes;
  readonly cache: CachePair | undefined;
  /** Begun by the first step that needs it: a server may have started while a migration was resolved. */
  writing: Writing | undefined;

  /** How far steps and data count as searched once this job has searched; see `noteSeen`. */
  seen: readonly SearchedUpTo[] = [];

  constructor({ cache, ...options }: LeasedSessionOptions) {
    super({ ...options, widens: true });
    this.cache = cache;
  }

  get pipeline(): SourcePipeline {
    this.writing ??= this.beginWriting();
    return this.writing.pipeline;
  }

  /** Resolves when a sync that read before the call must be done; undefined without a live server. */
  get afterSync(): (() => Promise<void>) | undefined {
    this.writing ??= this.beginWriting();
    return this.writing.afterSync;
  }

  /**
   * Has threads work on the sources if there is much to do; call before anything is read for it.
   *
   * @param runs to be moved
   * @param part whose rows tell how much that is
   */
  async fitPipeline(runs: readonly bigint[], part: Part): Promise<void> {
    const count = () =>
      prepared<[string], number>(
        this.db,
        `SELECT count(*) FROM (SELECT 1 FROM json_each(?) AS j CROSS JOIN ${part}.tests AS t ON t.run_id = j.value
           LIMIT ${littleWork + 1})`,
      ).pluck();
    const tests = (await this.read(() => count().get(idList(runs)))) ?? 0;
    if (tests > littleWork) await this.pipeline.useThreads();
  }

  /** Sleeps `ms`, renewing the lease. */
  async rest(ms: number): Promise<void> {
    await restUnderLease(this, ms);
  }

  private beginWriting(): Writing {
    const { area, cache, context, files, keys, fresh, sources, token } = this;
    const { jobId, signal } = context;
    const hasServer = aliveServers(area, context.settings.host).length > 0;
    const afterSync = hasServer ? () => this.rest(syncPassMs(files.cache)) : undefined;
    const window = new SyncWindow(afterSync);
    const enter = () => window.enter();
    const times = cacheTimesSetup(area, cache);
    const setups = sources.map((part) => ({
      ...{ part, fresh, files, keys, jobId, times, token },
      // A live server must come to its syncs.
      shared: hasServer && part === "area",
    }));
    const failpoint = (name: FailpointName) => context.failpoint(name);
    const pipeline = new SourcePipeline(
      (inThreads) =>
        inThreads
          ? startSourceWriters(setups, signal, enter)
          : // If waiting fails the job ends, and the writer learns by the signal when.
            openSourceWriters(setups, signal, { failpoint, enter: () => enter().catch(() => {}) }),
      enter,
      failpoint,
    );
    return { pipeline, afterSync };
  }
}

/** Up to 1.6501 Megatest's sync pauses while megatest.db changes; maximum time of writing without a pause, ms. */
const writeMs = 8_000;

/**
 * Returns how long megatest.db is then left alone, ms: 4 s until the sync notices, 5 s until its next round, and the
 * round itself. The newer kind of sync takes less.
 */
function syncPassMs(cacheFile: string | undefined): number {
  const bytes = cacheFile === undefined ? 0 : (statSync(cacheFile, { throwIfNoEntry: false })?.size ?? 0);
  // A sync reads every table of cache and ref into memory: allow 1 s per 20 MB.
  return 11_000 + Math.min(60_000, bytes / 20_000);
}

/** Leaves megatest.db alone at times, so that a live server's sync can run. */
class SyncWindow {
  readonly #rest: () => Promise<void>;
  #since: number | undefined;

  /** @param rest waits for a sync to pass; undefined without a live server */
  constructor(rest: (() => Promise<void>) | undefined) {
    this.#rest = rest ?? (async () => {});
    this.#since = rest === undefined ? Number.POSITIVE_INFINITY : undefined;
  }

  /** Await before each batch of writes to megatest.db. */
  async enter(): Promise<void> {
    this.#since ??= performance.now();
    if (performance.now() - this.#since < writeMs) return;
    await this.#rest();
    this.#since = performance.now();
  }
}

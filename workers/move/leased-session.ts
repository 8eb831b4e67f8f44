import type { CachePair } from "../../shared/area/cache.ts";
import { type CacheTimes, cacheTimesSetup } from "./cache-times.ts";
import { restUnderLease } from "./lease.ts";
import { JobSession, type JobSessionOptions } from "./move.ts";
import { aliveServers } from "./quiet.ts";
import { RemovalLine } from "./removal-line.ts";
import { SyncWindow, syncPassMs } from "./sync-window.ts";
import { startStations } from "./thread-station.ts";

export interface LeasedSessionOptions extends JobSessionOptions {
  times: CacheTimes;
  cache: CachePair | undefined;
}

/** A job under the area's lease, with the threads that write to the sources. Its token is set once it has the lease. */
export class LeasedSession extends JobSession {
  readonly pipeline: RemovalLine;
  /** Resolves when a sync that read before the call must be done; undefined without a live server. */
  readonly afterSync: (() => Promise<void>) | undefined;

  constructor({ cache, ...options }: LeasedSessionOptions) {
    super(options);
    const { area, context, files, keys, fresh, sources } = this;
    const hasServer = aliveServers(area, context.settings.host).length > 0;
    this.afterSync = hasServer ? () => this.rest(syncPassMs(files.cache)) : undefined;
    const window = new SyncWindow(this.afterSync);
    const { jobId, signal } = context;
    const times = cacheTimesSetup(area, cache);
    const setups = () =>
      sources.map((part) => ({
        ...{ part, fresh, files, keys, jobId, times, token: this.token },
        // A live server must come to its syncs.
        shared: hasServer && part === "area",
      }));
    const enter = () => window.enter();
    this.pipeline = new RemovalLine(
      () => startStations(setups(), signal, enter),
      enter,
      (step) => context.failpoint(step),
    );
  }

  /** Sleeps `ms` and renews the lease meanwhile. */
  async rest(ms: number): Promise<void> {
    await restUnderLease(this, ms);
  }
}

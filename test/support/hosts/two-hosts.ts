import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import type { Job } from "bullmq";
import { cacheDirectoryOf } from "../../../producers/demo/sample-area/area-files.ts";
import {
  buildArea,
  type SampleArea,
  type SampleAreaOptions,
} from "../../../producers/demo/sample-area/build-area.ts";
import { decodeFailure } from "../../../shared/contract/failure.ts";
import type { MigratePayload } from "../../../shared/contract/migrate-payload.ts";
import { parsePayload } from "../../../shared/contract/payload.ts";
import { enqueueOptions } from "../../../shared/queue/enqueue-options.ts";
import { newJobId } from "../../../shared/queue/names.ts";
import { builtThreadUrl } from "../../../workers/job-thread/job-threads.ts";
import { edit } from "../area/edit-area.ts";
import { waitFor } from "../area/wait-for.ts";
import type { Union } from "../oracle/records.ts";
import { unionOfRuns } from "../oracle/union.ts";
import { onQueue, type QueueStage, type WorkerProcess } from "../queue/queue-stage.ts";

/** A test host with its own name, address and cache root. */
export type HostName = "host-a" | "host-b" | "host-c";
const addresses: Record<HostName, string> = {
  "host-a": "10.9.0.1",
  "host-b": "10.9.0.2",
  "host-c": "10.9.0.3",
};

/** Short times for tests; times of minutes are aged by SQL instead. */
const times = JSON.stringify({ settleMs: 300, roundMs: 3000 });

/** Areas on hosts of one machine, with a worker process for each host. */
export class Hosts {
  readonly stage: QueueStage;
  #areas = 0;

  constructor(stage: QueueStage) {
    this.stage = stage;
  }

  /** Builds an area at home on host-a, quiet for a day. */
  area(options: Partial<SampleAreaOptions> = {}): SampleArea {
    const area = buildArea({
      directory: join(this.stage.root, "areas", `a${++this.#areas}`),
      cacheRoot: this.cacheRoot("host-a"),
      user: "ann",
      host: addresses["host-a"],
      runs: 4,
      testsPerRun: 5,
      inFlight: 0,
      now: Math.floor(Date.now() / 1000) - 86_400,
      ...options,
    });
    return area;
  }

  addressOf(host: HostName): string {
    return addresses[host];
  }

  cacheRoot(host: HostName): string {
    return join(this.stage.root, `tmp-${host}`);
  }

  pairOn(area: SampleArea, host: HostName): { cacheDb: string; refDb: string } {
    const directory = cacheDirectoryOf({ ...area, cacheRoot: this.cacheRoot(host) });
    return { cacheDb: join(directory, "megatest.db"), refDb: join(directory, "megatest_ref.db") };
  }

  /** Returns the area as seen when its home is `host`. */
  seenFrom(area: SampleArea, host: HostName): SampleArea {
    const pair = this.pairOn(area, host);
    const cacheDirectory = cacheDirectoryOf({ ...area, cacheRoot: this.cacheRoot(host) });
    return { ...area, ...pair, cacheDirectory, cacheRoot: this.cacheRoot(host), host: addresses[host] };
  }

  async start(host: HostName, failpoint = "", env: Record<string, string> = {}): Promise<WorkerProcess> {
    const areas = join(this.stage.root, "areas");
    // A worker may start before the first area is built, but not without its root.
    mkdirSync(areas, { recursive: true });
    return await this.stage.worker(host, {
      MTJOBS_ADDRESS: addresses[host],
      MTJOBS_AREAS: areas,
      MTJOBS_CACHE_ROOT: this.cacheRoot(host),
      MTJOBS_USER: "ann",
      MTJOBS_TEST_THREAD: builtThreadUrl().href,
      MTJOBS_TEST_TIMES: times,
      MTJOBS_FAILPOINT: failpoint,
      ...env,
    });
  }

  /**
   * Does the same like a service manager: restarts a worker that failed at its start, as on a full disk or a
   * machine too busy to reach its Redis.
   */
  async startManaged(
    host: HostName,
    failpoint = "",
    env: Record<string, string> = {},
  ): Promise<WorkerProcess> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.start(host, failpoint, env);
      } catch (error) {
        if (tries === 5) throw error;
      }
    }
  }

  /** Enqueues a migration; by default its activity is long past. */
  async migrate(
    area: SampleArea,
    to: HostName,
    options: Partial<Omit<MigratePayload, "v" | "area" | "to">> = {},
  ): Promise<string> {
    const data = { v: 1, area: area.directory, to, quietFor: 0, now: true, ...options };
    const payload = parsePayload("migrate", data);
    const { deduplication: _none, ...more } = enqueueOptions("migrate", payload, newJobId("migrate"));
    // A tenth of the normal delay; the attempts still outlast a fault.
    const backoff = { type: "exponential", delay: 200 };
    return await this.stage.add(to, "migrate", payload, { ...more, backoff });
  }

  async end(to: HostName, jobId: string, deadline = 90_000): Promise<Job> {
    const ended = async () => ["completed", "failed"].includes(await this.stage.state(to, jobId));
    await waitFor(`${jobId} to end`, ended, {
      deadline,
      state: async () => [await this.stage.state(to, jobId), await this.stage.story(to, jobId)],
    });
    return await this.stage.reach(to, jobId, await this.stage.state(to, jobId));
  }

  /** Waits until the newest migration of an area is in a state. */
  async settled(area: SampleArea, state: string, ...workers: WorkerProcess[]): Promise<void> {
    await waitFor(`the migration to be ${state}`, () => migrationRow(area)?.state === state, {
      deadline: 90_000,
      state: () => [migrationRow(area), ...workers.map(({ stderr }) => stderr())],
    });
  }

  /** Waits until it has succeeded. */
  async migrated(to: HostName, jobId: string): Promise<Job> {
    const job = await this.end(to, jobId);
    if (job.failedReason !== undefined) throw decodeFailure(job.failedReason);
    return job;
  }
}

export function homeOf(area: SampleArea): string {
  return readFileSync(join(area.directory, ".homehost"), "utf8");
}

/** Returns the host whose address `.homehost` contains. */
export function homeHostOf(area: SampleArea): HostName {
  const home = homeOf(area);
  const [host] = Object.entries(addresses).find(([, address]) => home === `${address}\n`) ?? [];
  if (host === undefined) throw new Error(`.homehost holds ${JSON.stringify(home)}`);
  return host as HostName;
}

/** Returns the newest migration's row in megatest.db. */
export function migrationRow(area: SampleArea): Record<string, unknown> | undefined {
  const db = new Database(area.megatestDb, { timeout: 10_000 });
  try {
    if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'mtjobs_migrations'").get() === undefined)
      return undefined;
    return db.prepare("SELECT * FROM mtjobs_migrations ORDER BY token DESC").get() as never;
  } finally {
    db.close();
  }
}

/** Lets the lease expire, as it would in a minute. */
export function letLeaseRunOut(area: SampleArea): void {
  edit(area, ["area"], (db) => db.exec("UPDATE mtjobs_fence SET expires_at = 1 WHERE holder IS NOT NULL"));
}

/** Returns true if a pair refuses writes. */
export function isClosed(file: string): boolean {
  const db = new Database(file, { timeout: 10_000 });
  try {
    return db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'mtjobs_closed'").get() !== undefined;
  } finally {
    db.close();
  }
}

/** Returns everything in an area's databases, seen from its home. */
export function unionAt(area: SampleArea): Union {
  const { megatestDb, cacheDb, refDb } = area;
  const completedDb = join(area.directory, "completed-runs.db");
  return unionOfRuns({ megatestDb, cacheDb, refDb, completedDb });
}

export async function onHosts(body: (hosts: Hosts) => Promise<void>, redisUrl?: string): Promise<void> {
  await onQueue((stage) => body(new Hosts(stage)), redisUrl);
}

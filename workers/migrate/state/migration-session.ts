import { existsSync } from "node:fs";
import type { Area } from "../../../shared/area/area.ts";
import type { CachePair } from "../../../shared/area/cache/cache.ts";
import { JobsError } from "../../../shared/errors.ts";
import type { Fence } from "../../../shared/lease/fence.ts";
import { leaseState } from "../../../shared/lease/lease.ts";
import { attach, type Connection } from "../../../shared/sqlite/connection.ts";
import { CacheTimes, cacheTimesSetup } from "../../area-db/cache-mtime.ts";
import { DatabaseSession } from "../../area-db/database-session.ts";
import { connect, type Files, filesOf, sourcesOf } from "../../area-db/databases.ts";
import { readFence, releaseLease } from "../../area-db/fence.ts";
import type { JobContext } from "../../area-db/job-context.ts";
import { acquire, renewLease } from "../../area-db/lease.ts";
import { retryWhileBusy } from "../../area-db/transaction.ts";

interface MigrationSessionOptions {
  context: JobContext;
  area: Area;
  db: Connection;
  files: Files;
  pair: CachePair | undefined;
  times: CacheTimes;
  token: number;
  wasAlive: boolean;
}

/**
 * A migration step on one host, with its own fence token: an overtaken step commits nothing. The lease belongs to the
 * migration (`migration:<job id>`), not to a process. Attached are megatest.db, completed-runs.db if it exists, and this
 * host's pair.
 */
export class MigrationSession extends DatabaseSession {
  readonly context: JobContext;
  readonly area: Area;
  /** The lease had not expired when this step took it. */
  readonly wasAlive: boolean;
  files: Files;
  pair: CachePair | undefined;

  constructor({ context, area, wasAlive, files, pair, ...session }: MigrationSessionOptions) {
    super({ ...session, signal: context.signal });
    this.context = context;
    this.area = area;
    this.wasAlive = wasAlive;
    this.files = files;
    this.pair = pair;
  }

  /** Renews the lease in full for the next step, on any host. */
  async handOver(): Promise<void> {
    await this.commit("area", () => {});
  }

  /** Ends the lease, so that no one waits for it. */
  async giveBack(): Promise<void> {
    await this.commit("area", () => releaseLease(this.db, this.token));
  }

  /** Attaches a pair that appeared on this host. May be repeated. */
  async attachPair(pair: CachePair): Promise<void> {
    for (const [name, file] of [["cache", pair.megatestDb] as const, ["ref", pair.refDb] as const]) {
      if (this.files[name] !== undefined || file === undefined) continue;
      await this.read(() => attach(this.db, name, file));
      // Immediately: a file cannot be attached twice, and the next may fail.
      this.files = { ...this.files, [name]: file };
    }
    this.pair = pair;
    this.files = filesOf(this.area, pair);
    this.times = new CacheTimes(cacheTimesSetup(this.area, pair));
  }

  /** Renews the lease of a step that does not commit for a while. */
  renewLease(): void {
    if (this.db.inTransaction || this.times === undefined) return;
    try {
      renewLease(this.db, this.times, this.token);
    } catch {
      // The next commit reports it.
    }
  }
}

export interface WithMigrationOptions {
  context: JobContext;
  area: Area;
  pair: CachePair | undefined;
  migration: string;
  /** `over`: take the lease only if it has expired. */
  lease: "any" | "over";
  /** See LeaseOptions. */
  refillDue?: boolean;
}

const migrationHolder = (jobId: string): string => `migration:${jobId}`;

/** Returns true while a step is running or the next may resume it. */
export function isLeaseAlive(fence: Fence | undefined, jobId: string): boolean {
  return fence?.holder === migrationHolder(jobId) && leaseState(fence, undefined) === "held";
}

/** Renewal interval of a step without commits, ms. */
const renewalMs = 10_000;

/**
 * Takes the lease, raises every token and runs `body`. The next step may take the lease while it is alive; `giveBack`
 * ends it.
 *
 * @throws JobsError `locked` if another job holds the area, or with `over` a step of this migration
 */
export async function withMigration<T>(
  { context, area, pair, migration, lease, refillDue = false }: WithMigrationOptions,
  body: (session: MigrationSession) => Promise<T>,
): Promise<T> {
  const files = filesOf(area, pair);
  const parts = [...sourcesOf(files), ...(existsSync(files.completed) ? (["completed"] as const) : [])];
  const db = await retryWhileBusy(context.signal, () => connect(files, parts));
  const times = new CacheTimes(cacheTimesSetup(area, pair));
  try {
    let wasAlive = false;
    const check = (fence: Fence | undefined) => {
      wasAlive = isLeaseAlive(fence, migration);
      if (lease === "over" && wasAlive) throw stillAtWork(fence);
    };
    const claim = { holder: migrationHolder(migration), jobId: migration, check };
    const token = await acquire({ db, refillDue, parts, context, times }, claim);
    const session = new MigrationSession({ context, area, db, token, wasAlive, files, pair, times });
    const timer = setInterval(() => session.renewLease(), renewalMs);
    try {
      return await body(session);
    } finally {
      clearInterval(timer);
    }
  } finally {
    db.close();
  }
}

function stillAtWork(fence: Fence | undefined): JobsError {
  return new JobsError("locked", "a step of the migration is running", {
    hint: "wait until it ends, or until its lease expires",
    details: { holder: fence?.holder, expiresAt: fence?.expiresAt },
  });
}

export function leaseOf(db: Connection): Fence | undefined {
  return readFence(db, "area");
}

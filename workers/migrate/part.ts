import { existsSync } from "node:fs";
import type { Area } from "../../shared/area/area.ts";
import type { CachePair } from "../../shared/area/cache.ts";
import { JobsError } from "../../shared/errors.ts";
import type { JobContext } from "../../shared/job-context.ts";
import { leaseState } from "../../shared/lease/lease.ts";
import { attach, type Connection } from "../../shared/sqlite/connection.ts";
import { type Fence, proveToken, readFence, releaseLease } from "../fence.ts";
import { CacheTimes, cacheTimesSetup } from "../move/cache-times.ts";
import { connect, filesOf, sourcesOf } from "../move/databases.ts";
import { acquire, renewLease } from "../move/lease.ts";
import type { Files } from "../move/move.ts";
import { outwaitBusy, transact } from "../move/transaction.ts";

/**
 * A migration step on one host, with its own fence token: an overtaken step commits nothing. The lease belongs to the
 * migration (`migration:<job id>`), not to a process.
 */
export interface MigrationPart {
  readonly context: JobContext;
  readonly area: Area;
  /** megatest.db, completed-runs.db if it exists, and this host's pair. */
  readonly db: Connection;
  readonly fenceToken: number;
  /** The lease had not expired when this step took it. */
  readonly wasAlive: boolean;
  files: Files;
  pair: CachePair | undefined;
  times: CacheTimes;
}

export interface PartOptions {
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
export async function withPart<T>(
  { context, area, pair, migration, lease, refillDue = false }: PartOptions,
  body: (part: MigrationPart) => Promise<T>,
): Promise<T> {
  const files = filesOf(area, pair);
  const parts = [...sourcesOf(files), ...(existsSync(files.completed) ? (["completed"] as const) : [])];
  const db = await outwaitBusy(context.signal, () => connect(files, parts));
  const times = new CacheTimes(cacheTimesSetup(area, pair));
  try {
    let wasAlive = false;
    const meet = (fence: Fence | undefined) => {
      wasAlive = isLeaseAlive(fence, migration);
      if (lease === "over" && wasAlive) throw stillAtWork(fence);
    };
    const claim = { holder: migrationHolder(migration), jobId: migration, meet };
    const fenceToken = await acquire({ db, refillDue, parts, context, times }, claim);
    const part: MigrationPart = { context, area, db, fenceToken, wasAlive, files, pair, times };
    const timer = setInterval(() => renewQuietly(part), renewalMs);
    try {
      return await body(part);
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

function renewQuietly({ db, times, fenceToken }: MigrationPart): void {
  if (db.inTransaction) return;
  try {
    renewLease(db, times, fenceToken);
  } catch {
    // The next commit reports it.
  }
}

/** Reads, retrying while busy; `body` may be repeated. */
export function read<T>({ context }: Pick<MigrationPart, "context">, body: () => T): Promise<T> {
  return outwaitBusy(context.signal, body);
}

/** Commits to megatest.db under the token, after making the cache the newer file. */
export async function commit(part: MigrationPart, body: () => void): Promise<void> {
  const { db, times, fenceToken, context } = part;
  await outwaitBusy(context.signal, () => {
    times.renew();
    transact(db, () => {
      proveToken(db, "area", fenceToken, Date.now());
      body();
    });
  });
}

/** Renews the lease in full for the next step, on any host. */
export async function handOver(part: MigrationPart): Promise<void> {
  await commit(part, () => {});
}

/** Ends the lease, so that no one waits for it. */
export async function giveBack(part: MigrationPart): Promise<void> {
  await commit(part, () => releaseLease(part.db, part.fenceToken));
}

/** Attaches a pair that appeared on this host. May be repeated. */
export async function takePair(part: MigrationPart, pair: CachePair): Promise<void> {
  const { db } = part;
  for (const [name, file] of [["cache", pair.megatestDb] as const, ["ref", pair.refDb] as const]) {
    if (part.files[name] !== undefined || file === undefined) continue;
    await read(part, () => attach(db, name, file));
    // Immediately: a file cannot be attached twice, and the next may fail.
    part.files = { ...part.files, [name]: file };
  }
  part.pair = pair;
  part.files = filesOf(part.area, pair);
  part.times = new CacheTimes(cacheTimesSetup(part.area, pair));
}

export function leaseOf(db: Connection): Fence | undefined {
  return readFence(db, "area");
}

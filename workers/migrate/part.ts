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
 * One part of a migration's work, on one host, under a token of its own: a part that was paused and overtaken by the
 * next one commits nothing. The lease belongs to the migration (`migration:<job id>`), not to a process.
 */
export interface MigrationPart {
  readonly context: JobContext;
  readonly area: Area;
  /** megatest.db, completed-runs.db where it is there, and this host's pair. */
  readonly db: Connection;
  readonly fenceToken: number;
  /** The lease of this migration had not run out when this part took it. */
  readonly wasAlive: boolean;
  files: Files;
  pair: CachePair | undefined;
  times: CacheTimes;
}

export interface PartOptions {
  context: JobContext;
  area: Area;
  /** This host's pair, open or closed. */
  pair: CachePair | undefined;
  /** Id of the migration's job. */
  migration: string;
  /** `over`: another part may be at work, and only a lease that has run out may be taken. */
  lease: "any" | "over";
  /** See LeaseOptions. */
  refillDue?: boolean;
}

const migrationHolder = (jobId: string): string => `migration:${jobId}`;

/** True while a step of the migration is running, or the next may still take it up. */
export function isLeaseAlive(fence: Fence | undefined, jobId: string): boolean {
  return fence?.holder === migrationHolder(jobId) && leaseState(fence, undefined) === "held";
}

/** How often a part renews the lease where no commit of its own does, ms. */
const renewalMs = 10_000;

/**
 * Takes the lease, raises every token and does `body`. Ends by leaving the lease as it is, for the next part to take
 * up while it lives; `giveBack` ends it.
 *
 * @throws JobsError `locked` where another job holds the area, or with `over` a part of this migration
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
    // Busy, or overtaken: the next commit of the part tells.
  }
}

/** Reads from the databases of a part, however long somebody else keeps one of them locked. `body` may be repeated. */
export function read<T>({ context }: Pick<MigrationPart, "context">, body: () => T): Promise<T> {
  return outwaitBusy(context.signal, body);
}

/** One commit to megatest.db, under the token, with the cache made the newer file before. */
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

/** Leaves the lease a whole life, so that the next part, on whichever host, has the longest time to take it up. */
export async function handOver(part: MigrationPart): Promise<void> {
  await commit(part, () => {});
}

/** Ends the lease: nobody goes on with this migration, or nobody needs to hold others up for it. */
export async function giveBack(part: MigrationPart): Promise<void> {
  await commit(part, () => releaseLease(part.db, part.fenceToken));
}

/** Attaches a pair that came to this host meanwhile, under this part's token. May be repeated. */
export async function takePair(part: MigrationPart, pair: CachePair): Promise<void> {
  const { db } = part;
  for (const [name, file] of [["cache", pair.megatestDb] as const, ["ref", pair.refDb] as const]) {
    if (part.files[name] !== undefined || file === undefined) continue;
    await read(part, () => attach(db, name, file));
    // At once: what is attached cannot be attached again, and the next file may fail.
    part.files = { ...part.files, [name]: file };
  }
  part.pair = pair;
  part.files = filesOf(part.area, pair);
  part.times = new CacheTimes(cacheTimesSetup(part.area, pair));
}

/** What stands in megatest.db of who holds the area. */
export function leaseOf(db: Connection): Fence | undefined {
  return readFence(db, "area");
}

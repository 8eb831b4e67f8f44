import type { Fence } from "../../shared/lease/fence.ts";
import { holderName } from "../../shared/lease/holder.ts";
import { leaseMs } from "../../shared/lease/lease.ts";
import type { Connection, Part } from "../../shared/sqlite/connection.ts";
import type { CacheTimes } from "./cache-mtime.ts";
import type { DatabaseSession } from "./database-session.ts";
import { connect, type Files } from "./databases.ts";
import {
  assertFenceToken,
  assertLeaseFree,
  raiseFenceToken,
  readFence,
  releaseLease,
  setRefillDue,
  takeLease,
} from "./fence.ts";
import type { JobContext } from "./job-context.ts";
import { rest, retryWhileBusy, transact } from "./transaction.ts";

export interface LeaseOptions {
  db: Connection;
  /** Whether Megatest would have refilled the cache when the job began. */
  refillDue: boolean;
  /** Databases that the job will write. */
  parts: readonly Part[];
  context: JobContext;
  times: CacheTimes;
}

/** Who takes the lease, if not this process for its job. */
export interface Claim {
  holder: string;
  jobId: string;
  /** Checks the lease in the transaction that takes it; an error leaves the lease unchanged. */
  check(fence: Fence | undefined): void;
}

/**
 * Checks that this job may take the lease, before anything of the area is written or its cache opened: in WAL mode
 * that would leave files beside it.
 *
 * @throws JobsError `locked` if another job holds it
 */
export function assertAdmitted(files: Files, { settings, jobId }: JobContext): void {
  const db = connect(files, ["area"]);
  try {
    const { host } = settings;
    assertLeaseFree(readFence(db, "area"), { holder: holderName(host), jobId, host, now: Date.now() });
  } finally {
    db.close();
  }
}

/**
 * Takes the area's lease and raises the token in every database that the job will write, before any other write.
 *
 * @throws JobsError `locked` if another job holds it
 */
export async function acquire(
  { db, refillDue, parts, context, times }: LeaseOptions,
  claim?: Claim,
): Promise<number> {
  const { signal, settings } = context;
  const { host } = settings;
  const own = { holder: holderName(host), jobId: context.jobId, check: () => {} };
  const { holder, jobId, check } = claim ?? own;
  const seen = await retryWhileBusy(signal, () =>
    Math.max(0, ...parts.map((part) => readFence(db, part)?.token ?? 0)),
  );
  // A cache with a due refill must not look newer before that is recorded in it: Megatest would still refill it.
  const beforeCommit = refillDue ? () => {} : () => times.renew();
  const token = await retryWhileBusy(signal, () =>
    transact(db, () => {
      check(readFence(db, "area"));
      // Only once the lease is granted, since a refused job leaves no trace; the first write makes a newer journal.
      return takeLease(db, { holder, jobId, host, now: Date.now(), seen }, beforeCommit);
    }),
  );
  try {
    context.failpoint("lease-taken");
    // One commit records that a refill was due and makes the cache newer.
    if (refillDue) {
      const noteIt = () => {
        raiseFenceToken(db, "cache", token);
        setRefillDue(db, true);
      };
      await retryWhileBusy(signal, () => transact(db, noteIt));
    }
    context.failpoint("refill-noted");
    for (const part of parts.filter((candidate) => candidate !== "area")) {
      await retryWhileBusy(signal, () => transact(db, () => raiseFenceToken(db, part, token)));
    }
    context.failpoint("tokens-raised");
  } catch (error) {
    // A full disk on one side should not keep the area from the next job; if this fails too, the lease expires. A
    // migration's lease is not this job's to release.
    if (claim === undefined) await giveBack(db, token, beforeCommit).catch(() => {});
    throw error;
  }
  return token;
}

/** Releases the lease; if that fails, it expires. */
export async function release(
  { db, times }: Pick<LeaseOptions, "db" | "times">,
  token: number,
): Promise<void> {
  await giveBack(db, token, () => times.renew());
}

async function giveBack(db: Connection, token: number, beforeCommit: () => void): Promise<void> {
  await retryWhileBusy(new AbortController().signal, () => {
    beforeCommit();
    transact(db, () => releaseLease(db, token));
  });
}

/** Renews the lease unless a recent commit to megatest.db did. */
export function renewLease(db: Connection, times: CacheTimes | undefined, token: number): void {
  const fence = readFence(db, "area");
  const left = (fence?.expiresAt ?? 0) - Date.now();
  // A lease that ends too late dates from before this host's clock was set back: other hosts would not trust it.
  if (fence?.token === token && left > leaseMs / 2 && left <= leaseMs) return;
  times?.renew();
  transact(db, () => assertFenceToken(db, "area", token, Date.now()));
}

/** Sleeps, renewing the lease; writes to megatest.db only every half minute. */
export async function restUnderLease(session: DatabaseSession, ms: number): Promise<void> {
  const { db, times, token, signal } = session;
  const until = performance.now() + ms;
  while (performance.now() < until) {
    await rest(Math.min(1000, until - performance.now()), signal);
    await session.read(() => renewLease(db, times, token));
  }
}

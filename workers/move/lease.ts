import type { JobContext } from "../../shared/job-context.ts";
import type { Connection, Part } from "../../shared/sqlite/connection.ts";
import {
  type Fence,
  leaseMs,
  noteRefillDue,
  proveToken,
  raiseToken,
  readFence,
  releaseLease,
  takeLease,
} from "../fence.ts";
import type { CacheTimes } from "./cache-times.ts";
import { holderName, isDeadHolder } from "./holder.ts";
import { outwaitBusy, rest, transact } from "./transaction.ts";

export interface LeaseOptions {
  db: Connection;
  /** Whether Megatest would have refilled the cache when the job began. */
  refillDue: boolean;
  /** The databases that the job will write. */
  parts: readonly Part[];
  context: JobContext;
  times: CacheTimes;
}

/** Who takes the lease, where it is not this process for its job. */
export interface Claim {
  holder: string;
  jobId: string;
  /** Looks at the lease in the transaction that takes it; whatever it throws leaves the lease alone. */
  meet(fence: Fence | undefined): void;
}

/**
 * Takes the lease of the area and raises the token in every database that the job will write, before
 * anything else is written.
 *
 * @throws JobsError `locked` where another job holds it
 */
export async function acquire(
  { db, refillDue, parts, context, times }: LeaseOptions,
  claim?: Claim,
): Promise<number> {
  const { signal, settings } = context;
  const own = { holder: holderName(settings.host), jobId: context.jobId, meet: () => {} };
  const { holder, jobId, meet } = claim ?? own;
  if (refillDue) {
    // One commit says that a refill was due and makes the cache the newer one: neither without the other.
    await outwaitBusy(signal, () => transact(db, () => noteRefillDue(db, true)));
  }
  context.failpoint("refill-noted");
  const seen = Math.max(0, ...parts.map((part) => readFence(db, part)?.token ?? 0));
  const token = await outwaitBusy(signal, () => {
    times.renew();
    return transact(db, () => {
      evictDead(db, settings.host);
      meet(readFence(db, "area"));
      return takeLease(db, { holder, jobId, now: Date.now(), seen });
    });
  });
  try {
    context.failpoint("lease-taken");
    for (const part of parts.filter((candidate) => candidate !== "area")) {
      await outwaitBusy(signal, () => transact(db, () => raiseToken(db, part, token)));
    }
    context.failpoint("tokens-raised");
  } catch (error) {
    // A full disk on one side need not keep the area from whoever is next; where this fails too the lease runs out. That of a
    // migration is not this job's to give back.
    if (claim === undefined) await release({ db, times }, token).catch(() => {});
    throw error;
  }
  return token;
}

/** The lease of a process of this host that is gone need not run out. */
function evictDead(db: Connection, host: string): void {
  const holder = readFence(db, "area")?.holder;
  if (holder != null && isDeadHolder(holder, host)) {
    db.exec("UPDATE area.mtjobs_fence SET holder = NULL, expires_at = 0 WHERE id = 1");
  }
}

/** Gives the lease back; where that fails it runs out by itself. */
export async function release(
  { db, times }: Pick<LeaseOptions, "db" | "times">,
  token: number,
): Promise<void> {
  await outwaitBusy(new AbortController().signal, () => {
    times.renew();
    transact(db, () => releaseLease(db, token));
  });
}

/** Renews the lease where no other commit to megatest.db did so lately. */
export function renewLease(db: Connection, times: CacheTimes, token: number): void {
  const fence = readFence(db, "area");
  if (fence !== undefined && fence.token === token && fence.expiresAt - Date.now() > leaseMs / 2) return;
  times.renew();
  transact(db, () => proveToken(db, "area", token, Date.now()));
}

/** Sleeps, renewing the lease, which writes to megatest.db only every half minute. */
export async function restUnderLease(
  { db, times, context }: Pick<LeaseOptions, "db" | "times" | "context">,
  token: number,
  ms: number,
): Promise<void> {
  const until = Date.now() + ms;
  while (Date.now() < until) {
    await rest(Math.min(1000, until - Date.now()), context.signal);
    await outwaitBusy(context.signal, () => renewLease(db, times, token));
  }
}

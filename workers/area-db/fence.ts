import { JobsError } from "../../shared/errors.ts";
import { type Fence, readFenceRow } from "../../shared/lease/fence.ts";
import { leaseMs, leaseState } from "../../shared/lease/lease.ts";
import { assertTokenCanRise } from "../../shared/lease/token.ts";
import { type Connection, type Part, prepared } from "../../shared/sqlite/connection.ts";
import { hasTable } from "../../shared/sqlite/table.ts";

// The fence: one row in each database that a job writes. megatest.db issues the token and holds the lease; every
// transaction checks, inside itself, that its database still has the token. A holder that was paused or lost its
// Redis lock can commit nothing after a take-over.
//
// Redis plays no part in this and may be flushed at any time.

const createSql = (part: Part) => `CREATE TABLE IF NOT EXISTS ${part}.mtjobs_fence (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  token INTEGER NOT NULL,
  holder TEXT,
  job_id TEXT,
  acquired_at INTEGER NOT NULL DEFAULT 0,
  renewed_at INTEGER NOT NULL DEFAULT 0,
  expires_at INTEGER NOT NULL DEFAULT 0,
  refill_due INTEGER NOT NULL DEFAULT 0
)`;

/** Returns undefined if no job ever wrote to the database. @throws JobsError `corrupt` if the token cannot rise */
export function readFence(db: Connection, part: Part): Fence | undefined {
  const fence = readFenceRow(db, part);
  if (fence !== undefined) assertTokenCanRise(db, part, fence.token);
  return fence;
}

/** Identifies who takes a lease: a process for one of its jobs, or a migration. */
export interface LeaseClaim {
  holder: string;
  jobId: string;
  /** This host's name. */
  host: string;
  /** Ms since 1970. */
  now: number;
}

/** @throws JobsError `locked` if another holder, or another job of this holder, has a valid lease */
export function assertLeaseFree(current: Fence | undefined, claim: LeaseClaim): void {
  if (current === undefined || leaseState(current, claim.host, claim.now) !== "held") return;
  if (current.holder === claim.holder && current.jobId === claim.jobId) return;
  throw new JobsError("locked", `the area is held by ${current.holder} for job ${current.jobId}`, {
    hint: "wait until that job ends or its lease expires",
    details: { holder: current.holder, jobId: current.jobId, expiresAt: current.expiresAt },
  });
}

/**
 * Takes the lease in megatest.db and issues the next token. Call inside a transaction on `area`.
 *
 * @param seen highest token found in the other databases: a lost table is rebuilt above it
 * @throws JobsError `locked`, see `assertLeaseFree`
 */
export function takeLease(
  db: Connection,
  claim: LeaseClaim & { seen: number },
  beforeWrite: () => void = () => {},
): number {
  // This read starts the transaction's snapshot: no commit to megatest.db can come before the write.
  const current = readFence(db, "area");
  assertLeaseFree(current, claim);
  beforeWrite();
  db.exec(createSql("area"));
  const token = Math.max(current?.token ?? 0, claim.seen) + 1;
  db.prepare(
    `INSERT INTO area.mtjobs_fence (id, token, holder, job_id, acquired_at, renewed_at, expires_at)
     VALUES (1, :token, :holder, :jobId, :now, :now, :expires)
     ON CONFLICT (id) DO UPDATE SET token = :token, holder = :holder, job_id = :jobId,
       acquired_at = :now, renewed_at = :now, expires_at = :expires`,
  ).run({ token, holder: claim.holder, jobId: claim.jobId, now: claim.now, expires: claim.now + leaseMs });
  return token;
}

/** Raises the token of a database written together with megatest.db. Call inside a transaction on it. */
export function raiseFenceToken(db: Connection, part: Part, token: number): void {
  db.exec(createSql(part));
  const { changes } = db
    .prepare(
      `INSERT INTO ${part}.mtjobs_fence (id, token) VALUES (1, :token)
       ON CONFLICT (id) DO UPDATE SET token = :token WHERE token <= :token`,
    )
    .run({ token });
  if (changes === 0) throw lostLease(part);
}

/**
 * Checks that `token` is still the newest in `part` and takes its write lock, in one statement: the first of every
 * transaction. In megatest.db it also renews the lease.
 *
 * @throws JobsError `lost-lease`
 */
export function assertFenceToken(db: Connection, part: Part, token: number, now: number): void {
  const { changes } = prepared(
    db,
    `UPDATE ${part}.mtjobs_fence SET renewed_at = :now,
         expires_at = CASE WHEN holder IS NULL THEN expires_at ELSE :expires END
       WHERE id = 1 AND token = :token`,
  ).run({ token, now, expires: now + leaseMs });
  if (changes === 0) throw lostLease(part);
}

/** Releases the lease; the token stays, so that the next one is higher. Call inside a transaction on `area`. */
export function releaseLease(db: Connection, token: number): void {
  db.prepare(
    "UPDATE area.mtjobs_fence SET holder = NULL, job_id = NULL, expires_at = 0 WHERE id = 1 AND token = ?",
  ).run(token);
}

/** Records in the cache that a refill was due before the first write. Needs no token: it changes no record. */
export function setRefillDue(db: Connection, due: boolean): void {
  db.exec(createSql("cache"));
  db.prepare(
    `INSERT INTO cache.mtjobs_fence (id, token, refill_due) VALUES (1, 0, :due)
     ON CONFLICT (id) DO UPDATE SET refill_due = :due`,
  ).run({ due: due ? 1 : 0 });
}

/** Returns true if `setRefillDue` has recorded a refill that is not done yet. */
export function isRefillNoted(db: Connection): boolean {
  if (!hasTable(db, "cache", "mtjobs_fence")) return false;
  const due = db.prepare<[], number>("SELECT refill_due FROM cache.mtjobs_fence WHERE id = 1").pluck().get();
  return (due ?? 0) !== 0;
}

function lostLease(part: Part): JobsError {
  return new JobsError("lost-lease", `another worker took over the area (seen in ${part})`, {
    hint: "nothing was committed after that; the other worker continues the job",
  });
}

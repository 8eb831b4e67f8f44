import { setTimeout as sleep } from "node:timers/promises";
import { nameDatabase } from "../../shared/area-db/name-database.ts";
import { toJobsError } from "../../shared/errors.ts";
import { type Connection, filesAtHand } from "../../shared/sqlite/connection.ts";
import { emitMetric } from "../threads/metrics-channel.ts";

/** Runs `body` in one transaction and returns its value; rolls back on any error. `BEGIN` itself takes no lock. */
export function transact<T>(db: Connection, body: () => T): T {
  return inTransaction(db, body, () => db.exec("COMMIT"));
}

/** How long a large commit into completed-runs.db waits for its readers, ms. */
const readersMs = 500;

/**
 * Runs `transact` for large work on completed-runs.db alone: a commit that meets a reader is retried before the work
 * is rolled back. Megatest never waits for that file.
 */
export function transactPatiently<T>(db: Connection, body: () => T): T {
  return inTransaction(db, body, () => {
    const deadline = performance.now() + readersMs;
    for (;;) {
      try {
        db.exec("COMMIT");
        return;
      } catch (error) {
        if (!db.inTransaction || toJobsError(error).code !== "busy" || performance.now() > deadline)
          throw error;
      }
    }
  });
}

function inTransaction<T>(db: Connection, body: () => T, commit: () => void): T {
  db.exec("BEGIN");
  try {
    const value = body();
    commit();
    return value;
  } catch (error) {
    if (db.inTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

/** How long current work may wait for a busy database once the job must stop, ms. */
export const stopGraceMs = 2_000;

/** How long to retry while busy before the job fails and is retried later, ms. */
const patienceMs = 120_000;

/**
 * Retries `attempt` while the database is busy, with growing, jittered pauses that let others in. `attempt` must be
 * safe to repeat.
 *
 * @throws JobsError `busy`, with the database and its holder, after `patience` ms; `corrupt` with the database
 */
export async function retryWhileBusy<T>(
  signal: AbortSignal,
  attempt: () => T,
  patience = patienceMs,
): Promise<T> {
  const started = performance.now();
  const deadline = started + patience;
  for (let tries = 0; ; tries++) {
    try {
      const value = attempt();
      if (tries > 0) emitMetric({ kind: "wait", ms: performance.now() - started });
      return value;
    } catch (error) {
      const { code } = toJobsError(error);
      if (code === "corrupt") throw nameDatabase(error, filesAtHand());
      if (code !== "busy") throw error;
      if (performance.now() > deadline) {
        emitMetric({ kind: "wait", ms: performance.now() - started });
        throw nameDatabase(error, filesAtHand());
      }
      signal.throwIfAborted();
      await rest(Math.min(20 * 2 ** Math.min(tries, 6), 1000) * (0.5 + Math.random()), signal);
    }
  }
}

/** Sleeps `ms`; if aborted, rejects with the signal's reason instead of Node's AbortError. */
export async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}

import { appendHistory } from "../../shared/area/history.ts";
import type { MoveResult } from "../../shared/contract/move-result.ts";
import type { MovePayload } from "../../shared/contract/payload.ts";
import { toJobsError } from "../../shared/errors.ts";
import { countSides, type RunsBySide } from "./report.ts";
import type { JobSession } from "./session/job-session.ts";

function stateAfter(error: unknown): MoveResult["state"] {
  return toJobsError(error).code === "cancelled" ? "cancelled" : "failed";
}

/** Returns undefined if they cannot be counted now: the work is done, so this must not fail the job. */
export async function sidesAfter(session: JobSession): Promise<RunsBySide | undefined> {
  const { db } = session;
  return await session.read(() => countSides(db)).catch(() => undefined);
}

/** Maximum number of warnings in a line of the history; the result has all. */
const warningsInHistory = 20;

/** Returns the history's line for a finished job: its result without the lists of runs, and few of its warnings. */
export function historyLine(result: MoveResult, payload: MovePayload, sides: RunsBySide | undefined) {
  const { runs: _runs, skipped: _skipped, warnings, ...counts } = result;
  const { requestedBy, policy, schedule } = payload;
  const moreWarnings = Math.max(0, warnings.length - warningsInHistory) || undefined;
  // JSON leaves out undefined values.
  return {
    at: new Date().toISOString(),
    requestedBy,
    policy,
    schedule,
    ...counts,
    warnings: warnings.slice(0, warningsInHistory),
    moreWarnings,
    sides,
  };
}

/** How long a failed job waits for a busy database to report what it did, ms; within its lease. */
const finalReadMs = 10_000;

/** Writes the history's line of a failed job; not yet for a job that is requeued, paused or retried. */
export async function recordFailure(
  session: JobSession,
  payload: MovePayload,
  report: (session: JobSession) => Promise<MoveResult>,
  thrown: unknown,
): Promise<void> {
  const error = toJobsError(thrown);
  if (error.code === "stopped" || error.code === "lost-lease" || error.code === "paused") return;
  if (error.retriable && session.context.triedAgain === true) return;
  // The job's own signal may have ended it.
  const reader = session.under(AbortSignal.timeout(finalReadMs));
  try {
    const result = { ...(await report(reader)), state: stateAfter(error) };
    appendHistory(session.area, {
      ...historyLine(result, payload, await sidesAfter(reader)),
      error: { code: error.code, message: error.message },
    });
  } catch (why) {
    // The job's own error must reach the caller. Without a line, the next job counts what was moved.
    session.context.log(`Could not write the history: ${toJobsError(why).message}.`);
  }
}

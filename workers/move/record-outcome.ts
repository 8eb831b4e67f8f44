import { appendHistory } from "../../shared/area/history.ts";
import type { MoveResult } from "../../shared/contract/move-result.ts";
import type { MovePayload } from "../../shared/contract/payload.ts";
import { JobsError, toJobsError } from "../../shared/errors.ts";
import { verbOf } from "../../shared/job-verbs.ts";
import { plural } from "../../shared/text.ts";
import type { JobContext } from "../area-db/job-context.ts";
import { countSides, type RunsBySide } from "./report.ts";
import type { JobSession } from "./session/job-session.ts";

function stateAfter({ code }: JobsError): MoveResult["state"] {
  return code === "cancelled" || code === "paused" ? "cancelled" : "failed";
}

/** Returns true for a failed job that a queue lets go on under its id, and for one that no longer holds the lease. */
function isWithoutLine({ code, retriable }: JobsError, { inline, triedAgain }: JobContext): boolean {
  if (code === "stopped" || code === "lost-lease") return true;
  if (code === "paused") return inline !== true;
  return retriable && triedAgain === true;
}

/**
 * Returns the end of a job that a stop file ended for good: with `--inline` nothing starts it again.
 *
 * @param half runs that are neither as before nor moved
 */
function endedByPause(
  { message, details }: JobsError,
  { job, moved: { runs } }: MoveResult,
  half: number,
): JobsError {
  const { did } = verbOf(job);
  const be = (count: number, one: string, more: string) => (count === 1 ? one : more);
  const what =
    runs === 0
      ? `it had ${did} no run`
      : `${plural(runs, "run")} that it ${did} ${be(runs, "stays", "stay")} ${did}`;
  const rest = `${plural(half, "run")} ${be(half, "is", "are")} half ${did}, which any next job on the area finishes or undoes`;
  return new JobsError("paused", `${message}, and the job ended: ${what}${half === 0 ? "" : `; ${rest}`}`, {
    hint: "delete that file, then run the same command again to continue",
    details: { ...details, runs, half },
  });
}

/** Counts the runs that a job left between two states. */
async function countHalf(session: JobSession): Promise<number> {
  const found = () =>
    session.db
      .prepare<[], number>("SELECT count(*) FROM completed.mtjobs_runs WHERE state <> 'moved'")
      .pluck()
      .get();
  return (await session.read(found)) ?? 0;
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

/** Writes the line of a job that has done its work. The result stands without one, and says so in a warning. */
export function recordResult({ area, tally }: JobSession, line: ReturnType<typeof historyLine>): void {
  try {
    appendHistory(area, line);
  } catch (error) {
    const { did } = verbOf(line.job);
    tally.warn(
      `the history could not be written (${toJobsError(error).message}): the next job on the area also counts what this one ${did}`,
    );
  }
}

/** How long a failed job waits for a busy database to report what it did, ms; within its lease. */
const finalReadMs = 10_000;

/**
 * Writes the history's line of a failed job; not yet for a job that is requeued or retried, or that waits in its queue
 * because it is paused. Returns the error that the job ends with.
 */
export async function recordFailure(
  session: JobSession,
  payload: MovePayload,
  report: (session: JobSession) => Promise<MoveResult>,
  thrown: unknown,
): Promise<unknown> {
  const error = toJobsError(thrown);
  if (isWithoutLine(error, session.context)) return thrown;
  // The job's own signal may have ended it.
  const reader = session.under(AbortSignal.timeout(finalReadMs));
  let end = thrown;
  try {
    const result = { ...(await report(reader)), state: stateAfter(error) };
    if (error.code === "paused") end = endedByPause(error, result, await countHalf(reader));
    appendHistory(session.area, {
      ...historyLine(result, payload, await sidesAfter(reader)),
      error: { code: error.code, message: error.message },
    });
  } catch (why) {
    // The job's own error must reach the caller. Without a line, the next job counts what was moved.
    session.context.log(`Could not write the history: ${toJobsError(why).message}.`);
  }
  return end;
}

import { appendHistory } from "../../shared/area/history.ts";
import { toJobsError } from "../../shared/errors.ts";
import type { MovePayload } from "../../shared/queue/payload.ts";
import type { MoveResult } from "../../shared/result.ts";
import { countSides, type RunsBySide } from "./count-sides.ts";
import type { Move } from "./move.ts";
import { outwaitBusy } from "./transaction.ts";

function stateAfter(error: unknown): MoveResult["state"] {
  return toJobsError(error).code === "cancelled" ? "cancelled" : "failed";
}

/** Undefined where they cannot be counted just now: all is done, and no job fails by that. */
export async function sidesAfter({ db }: Move, signal: AbortSignal): Promise<RunsBySide | undefined> {
  return await outwaitBusy(signal, () => countSides(db)).catch(() => undefined);
}

/** Warnings in a line of the history: the result has more of them, and whoever looks back a year from now reads few. */
const warningsInHistory = 20;

/** What the history says of a finished job: its result without the lists of runs, and few of its warnings. */
export function historyLine(result: MoveResult, payload: MovePayload, sides: RunsBySide | undefined) {
  const { runs: _runs, skipped: _skipped, warnings, ...counts } = result;
  const { requestedBy, policy, schedule } = payload;
  const moreWarnings = Math.max(0, warnings.length - warningsInHistory) || undefined;
  // JSON leaves out what is undefined.
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

/** For how long a job that failed still waits for a busy database to tell what it did, in ms; within its lease. */
const lastLookMs = 10_000;

/** A job put back by a leaving worker or held by a stop file, or tried again, is not finished: its line is written when it is. */
export async function noteFailure(
  move: Move,
  payload: MovePayload,
  report: (signal: AbortSignal) => Promise<MoveResult>,
  thrown: unknown,
): Promise<void> {
  const error = toJobsError(thrown);
  if (error.code === "stopped" || error.code === "lost-lease" || error.code === "paused") return;
  if (error.retriable && move.context.triedAgain === true) return;
  // The job's own signal may be what ended it.
  const signal = AbortSignal.timeout(lastLookMs);
  try {
    const result = { ...(await report(signal)), state: stateAfter(error) };
    appendHistory(move.area, {
      ...historyLine(result, payload, await sidesAfter(move, signal)),
      error: { code: error.code, message: error.message },
    });
  } catch (why) {
    // The job's own failure must reach the caller. Without a line, the next job counts what was moved.
    move.context.log(`The history could not be written: ${toJobsError(why).message}.`);
  }
}

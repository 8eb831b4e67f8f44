import { findPause, paused } from "../../shared/area/pause.ts";
import type { JobContext } from "../area-db/job-context.ts";

/** How often a running job checks for a stop file, ms. */
const checkEveryMs = 1000;

/**
 * Runs `work` unless a stop file pauses the area; one that appears later ends it at its next batch.
 *
 * @throws JobsError `paused`
 */
export async function abortOnPause<T>(
  area: string,
  context: JobContext,
  work: (context: JobContext) => Promise<T>,
  everyMs = checkEveryMs,
): Promise<T> {
  const pause = new AbortController();
  const signal = AbortSignal.any([context.signal, pause.signal]);
  const check = async () => {
    const file = await findPause(area, context.settings.areas);
    if (file !== undefined) pause.abort(paused(file));
  };
  await check();
  signal.throwIfAborted();
  const timer = setInterval(() => void check(), everyMs);
  try {
    return await work({ ...context, signal });
  } finally {
    clearInterval(timer);
  }
}

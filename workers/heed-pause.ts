import { findPause, paused } from "../shared/area/pause.ts";
import type { JobContext } from "../shared/job-context.ts";

/** How often a job at work looks for a stop file, ms. */
const everyMs = 1000;

/**
 * Does `work` while no stop file holds the area; once one is there it ends at its next batch.
 *
 * @throws JobsError `paused`
 */
export async function heedPause<T>(
  area: string,
  context: JobContext,
  work: (context: JobContext) => Promise<T>,
  lookEveryMs = everyMs,
): Promise<T> {
  const { signal, settings } = context;
  const stop = new AbortController();
  const pass = () => stop.abort(signal.reason);
  if (signal.aborted) pass();
  signal.addEventListener("abort", pass);
  const look = async () => {
    const file = await findPause(area, settings.areas);
    if (file !== undefined) stop.abort(paused(file));
  };
  let timer: NodeJS.Timeout | undefined;
  try {
    await look();
    stop.signal.throwIfAborted();
    timer = setInterval(() => void look(), lookEveryMs);
    return await work({ ...context, signal: stop.signal });
  } finally {
    clearInterval(timer);
    signal.removeEventListener("abort", pass);
  }
}

import { KeptThreads } from "../kept-threads.ts";

/** The built thread, also when this file itself is run from its source. */
function threadUrl(): URL {
  const here = import.meta.url;
  return here.endsWith(".ts")
    ? new URL("../../dist/workers/move/station-thread.js", here)
    : new URL("./station-thread.js", here);
}

/** One for each source of an area, from one job to the next. */
export const stationThreads = new KeptThreads(threadUrl(), 3);

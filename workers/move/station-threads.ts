import { builtFile } from "../../shared/built-file.ts";
import { KeptThreads } from "../kept-threads.ts";

/** One for each source of an area, from one job to the next. */
export const stationThreads = new KeptThreads(builtFile("./station-thread.js", import.meta.url), 3);

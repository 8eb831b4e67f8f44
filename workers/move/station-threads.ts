import { builtFile } from "../../shared/built-file.ts";
import { ThreadPool } from "../threads/thread-pool.ts";
import type { StationBack, StationCalls } from "./thread-station.ts";

/** One for each source of an area, kept from one job to the next. */
export const stationThreads = new ThreadPool<StationCalls, StationBack>(
  builtFile("./station-thread.js", import.meta.url),
  "source",
  3,
);

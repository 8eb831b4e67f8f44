import { statSync } from "node:fs";
import { openAllowedArea } from "../../shared/area/area.ts";
import { readHistory } from "../../shared/area/history.ts";
import type { HistoryLine } from "../../shared/contract/area-facts.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import { findAreas } from "./find-areas.ts";
import type { OldestRuns } from "./oldest-run.ts";

/** Metrics of an area, from its files. */
export interface AreaMeasure {
  area: string;
  /** Of megatest.db and completed-runs.db, if they exist. */
  bytes: Record<string, number>;
  /**
   * By job kind, from the history: the last success in ms since 1970, and whether the last job failed. Without dry
   * runs.
   */
  jobs: Record<string, { succeededAt: number | null; failed: boolean }>;
  /**
   * When the oldest run that could leave megatest.db began, seconds since 1970; null if there is none, or if it
   * cannot be read.
   */
  oldestRunAt: number | null;
}

/** Number of history lines searched for jobs. */
const linesSearched = 200;

/** Measures all usable areas below the roots; it opens a database only if `runs` has no recent value. */
export function measureAreas(
  settings: Pick<Settings, "areas">,
  env: NodeJS.ProcessEnv,
  runs: OldestRuns,
): AreaMeasure[] {
  return findAreas(settings, env).areas.flatMap(({ area: path, problem }) =>
    problem === null ? measure(path, settings, env, runs) : [],
  );
}

function measure(
  path: string,
  settings: Pick<Settings, "areas">,
  env: NodeJS.ProcessEnv,
  runs: OldestRuns,
): AreaMeasure[] {
  try {
    const area = openAllowedArea(path, settings, env);
    const files = { "megatest.db": area.megatestDb, "completed-runs.db": area.completedDb };
    const bytes = Object.entries(files).flatMap(([name, file]) => {
      const size = statSync(file, { throwIfNoEntry: false })?.size;
      return size === undefined ? [] : [[name, size] as const];
    });
    const jobs = lastOf(readHistory(area, { limit: linesSearched }));
    return [{ area: path, bytes: Object.fromEntries(bytes), jobs, oldestRunAt: runs.of(area) }];
  } catch {
    return []; // removed or changed since it was found
  }
}

function lastOf(history: readonly HistoryLine[]): AreaMeasure["jobs"] {
  const jobs: AreaMeasure["jobs"] = {};
  for (const { job, at, error } of history) {
    const time = Date.parse(String(at));
    if (typeof job !== "string" || Number.isNaN(time)) continue;
    if (isCancelled(error)) continue;
    const failed = error !== undefined;
    jobs[job] = { failed, succeededAt: failed ? (jobs[job]?.succeededAt ?? null) : time };
  }
  return jobs;
}

function isCancelled(error: unknown): boolean {
  return typeof error === "object" && error !== null && "code" in error && error.code === "cancelled";
}

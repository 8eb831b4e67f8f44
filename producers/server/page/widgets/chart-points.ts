import type { HistoryLine } from "../data/documents.ts";

type Line = (number | null)[];

/** Seconds since 1970, then the sizes of and the runs in both databases; null if a job has no such data. */
export type Points = [times: number[], bytes: Line, completedBytes: Line, runs: Line, completedRuns: Line];

/**
 * Converts an area's history to points. If a line lacks the number of runs in completed-runs.db, it is computed
 * back from the next line that has it, or from now, using the number that each job moved.
 */
export function pointsOf(history: readonly HistoryLine[], completedRuns: number | null): Points {
  const points: Points = [[], [], [], [], []];
  let reckoned = completedRuns;
  for (const { at = "", job, bytes: sizes, sides, moved } of history.toReversed()) {
    const after = sides?.["completed-runs.db"]?.runs ?? reckoned;
    const time = Date.parse(at) / 1000;
    if (!Number.isNaN(time)) {
      points[0].push(time);
      points[1].push(sizes?.["megatest.db"]?.after ?? null);
      points[2].push(sizes?.["completed-runs.db"]?.after ?? null);
      points[3].push(sides?.["megatest.db"]?.runs ?? null);
      points[4].push(after);
    }
    const came = job === "restore" ? -(moved?.runs ?? 0) : (moved?.runs ?? 0);
    reckoned = after === null ? null : Math.max(0, after - came);
  }
  for (const line of points) line.reverse();
  return points;
}

import type { HistoryLine } from "./documents.ts";

type Line = (number | null)[];

/** Seconds since 1970, then the sizes of and the runs in both databases; null where a job tells nothing of it. */
export type Points = [times: number[], bytes: Line, completedBytes: Line, runs: Line, completedRuns: Line];

/**
 * The points of an area's history. Where a line does not tell how many runs completed-runs.db had after the job, that is
 * reckoned back from the next one that does, or from now: each job tells how many it moved.
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

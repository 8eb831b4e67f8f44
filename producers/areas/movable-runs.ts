import type { Policy } from "../../shared/area/config/policies.ts";
import { matchRun, targetSql } from "../../shared/area-db/match-run.ts";
import { isOddTime } from "../../shared/sqlite/times.ts";

/** The selectors that a run's own row answers. */
export type RunRequest = Policy["request"];

/**
 * Builds SQL for the runs of megatest.db that a reduce with these selectors would consider, judged by each run's own
 * row: tests, locks of others and late activity are not read. Columns `id` and `began`, in seconds since 1970.
 *
 * @param keys the target keys that are columns of `runs`
 */
export function movableRuns(
  keys: readonly string[],
  request: RunRequest,
  now: number,
): { sql: string; parameters: (string | number)[] } {
  const matching = matchRun(keys, request);
  const stays = request.includeLocked === true ? "'deleted'" : "'deleted', 'locked'";
  const youngest = (now - (request.age ?? 0)) / 1000;
  return {
    sql: `SELECT id, began FROM (
      SELECT r.id AS id, CAST(r.event_time AS INTEGER) AS began, row_number() OVER (
        PARTITION BY ${targetSql(keys, "r")} ORDER BY CAST(r.event_time AS INTEGER) DESC, r.id DESC) AS place
      FROM area.runs AS r
      WHERE NOT ${isOddTime("r.event_time")} AND coalesce(r.state, '') NOT IN (${stays}) AND ${matching.sql})
      WHERE place > ? AND began < ?`,
    parameters: [...matching.parameters, request.keep ?? 0, youngest],
  };
}

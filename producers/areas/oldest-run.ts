import type { Area } from "../../shared/area/area.ts";
import { targetKeys } from "../../shared/area/config/config.ts";
import { readPolicies } from "../../shared/area/config/policies.ts";
import type { Connection } from "../../shared/sqlite/connection.ts";
import { NameSet } from "../../shared/sqlite/names.ts";
import { columnNames } from "../../shared/sqlite/table.ts";
import { movableRuns, type RunRequest } from "./movable-runs.ts";
import { openReadonly } from "./open-readonly.ts";
import { Reread } from "./reread.ts";

export class OldestRuns {
  readonly #known = new Reread<number | null>();

  /**
   * Returns when the oldest run that could leave began (`readOldest`), possibly from a cache; null also if the
   * database cannot be read now.
   */
  of(area: Area, now = Date.now()): number | null {
    return this.#known.of(area.path, [area.megatestDb], () => readOrNull(area, now), now);
  }
}

function readOrNull(area: Area, now: number): number | null {
  let db: Connection | undefined;
  try {
    db = openReadonly({ area: area.megatestDb });
    return readOldest(db, area, now);
  } catch {
    return null;
  } finally {
    db?.close();
  }
}

/**
 * Returns when the oldest run of megatest.db began that a line of `[reduce-records]` would move, judged by the
 * run's own row; without such lines, of all runs that are neither hidden nor locked. Seconds since 1970; null
 * without any.
 */
function readOldest(db: Connection, area: Area, now: number): number | null {
  const columns = new NameSet(columnNames(db, "area", "runs"));
  const keys = targetKeys(area.config).filter((key) => columns.has(key));
  const { policies } = readPolicies(area.config);
  const requests: RunRequest[] = policies.length === 0 ? [{}] : policies.map(({ request }) => request);
  const found = requests.map((request) => oldestOf(db, keys, request, now)).filter((each) => each !== null);
  return found.length === 0 ? null : Math.min(...found);
}

function oldestOf(db: Connection, keys: readonly string[], request: RunRequest, now: number): number | null {
  const { sql, parameters } = movableRuns(keys, request, now);
  return (
    db
      .prepare<(string | number)[], number | null>(`SELECT min(began) FROM (${sql})`)
      .pluck()
      .get(...parameters) ?? null
  );
}

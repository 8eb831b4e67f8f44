import { statSync } from "node:fs";
import type { Area } from "../../shared/area/area.ts";
import { targetKeys } from "../../shared/area/config/config.ts";
import { readPolicies } from "../../shared/area/config/policies.ts";
import type { Connection } from "../../shared/sqlite/connection.ts";
import { NameSet } from "../../shared/sqlite/names.ts";
import { columnNames } from "../../shared/sqlite/table.ts";
import { movableRuns, type RunRequest } from "./movable-runs.ts";
import { openReadonly } from "./open-readonly.ts";

/** The value read from one megatest.db, with the file's time and size then. */
interface Known {
  readAt: number;
  changedAt: number;
  bytes: number;
  oldest: number | null;
}

/** Minimum ms between reads of a changed and of an unchanged database. */
const rereadMs = 5 * 60_000;
const rereadUnchangedMs = 60 * 60_000;

/** Caches what it reads, because every scrape asks for all areas. */
export class OldestRuns {
  readonly #known = new Map<string, Known>();

  /**
   * Returns when the oldest run that could leave began (`readOldest`), possibly from the cache; null also if the
   * database cannot be read now.
   */
  of(area: Area, now = Date.now()): number | null {
    const { mtimeMs: changedAt, size: bytes } = statSync(area.megatestDb);
    const known = this.#known.get(area.path);
    if (known !== undefined) {
      const unchanged = known.changedAt === changedAt && known.bytes === bytes;
      if (now - known.readAt < (unchanged ? rereadUnchangedMs : rereadMs)) return known.oldest;
    }
    const oldest = readOrNull(area, now);
    this.#known.set(area.path, { readAt: now, changedAt, bytes, oldest });
    return oldest;
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

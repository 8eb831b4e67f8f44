import { type Area, openAllowedArea } from "../../shared/area/area.ts";
import { targetKeys } from "../../shared/area/config/config.ts";
import { readPolicies } from "../../shared/area/config/policies.ts";
import { toJobsError } from "../../shared/errors.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import { type Connection, prepared } from "../../shared/sqlite/connection.ts";
import { idList, preparedIds } from "../../shared/sqlite/ids.ts";
import { NameSet } from "../../shared/sqlite/names.ts";
import { columnNames } from "../../shared/sqlite/table.ts";
import { isOddTime } from "../../shared/sqlite/times.ts";
import type { AreaForecast, Forecast, FoundAreas, GainByAge } from "../contract/area.ts";
import { movableRuns, type RunRequest } from "./movable-runs.ts";
import { openReadonly } from "./open-readonly.ts";

const dayMs = 24 * 3_600_000;
/** Used if neither the caller nor the area says which runs. */
const defaultAge = 30 * dayMs;
/** Runs whose tests are counted under one lock, which Megatest's writers have to wait for. */
const runsPerRead = 20;
const growthDays = 28;
/** Days for which a gain is told. */
const curveDays = [1, 3, 7, 14, 30, 60, 90, 180, 365, 730, 1095, 1825];

export interface ForecastPlace {
  settings: Pick<Settings, "areas">;
  env: NodeJS.ProcessEnv;
  now?: number;
}

/**
 * Estimates what a reduce would free in one area, from megatest.db alone. Bytes are its share of the tests. Read-only,
 * under short locks.
 *
 * @param request selectors; undefined: the lines of the area's `[reduce-records]`, or runs older than 30 days
 */
export function forecastArea(
  path: string,
  request: RunRequest | undefined,
  { settings, env, now = Date.now() }: ForecastPlace,
): AreaForecast {
  const unknown = { bytes: null, runs: null, movable: null, growthBytesPerWeek: null, rule: null };
  let db: Connection | undefined;
  try {
    const area = openAllowedArea(path, settings, env);
    db = openReadonly({ area: area.megatestDb });
    return { area: path, ...estimate(db, area, request, now), problem: null };
  } catch (error) {
    return { area: path, ...unknown, problem: toJobsError(error).message };
  } finally {
    db?.close();
  }
}

/** Estimates for several areas, the largest gain first. */
export function forecastAreas(
  { areas, warnings }: FoundAreas,
  request: RunRequest | undefined,
  place: ForecastPlace,
): Forecast {
  const forecasts = areas.map(({ area }) => forecastArea(area, request, place));
  forecasts.sort((a, b) => (b.movable?.bytes ?? -1) - (a.movable?.bytes ?? -1));
  const sum = (value: (forecast: AreaForecast) => number | null | undefined) =>
    forecasts.reduce((total, forecast) => total + (value(forecast) ?? 0), 0);
  return {
    areas: forecasts,
    total: {
      bytes: sum(({ bytes }) => bytes),
      movableRuns: sum(({ movable }) => movable?.runs),
      movableBytes: sum(({ movable }) => movable?.bytes),
      growthBytesPerWeek: sum(({ growthBytesPerWeek }) => growthBytesPerWeek),
    },
    warnings,
  };
}

/**
 * Estimates for one area what a reduce would free, by the age of the runs that it moves. Read-only, under short locks.
 *
 * @param keep how many of the newest runs of each target stay
 * @throws {JobsError} as `openAllowedArea` and `openReadonly`
 */
export function gainByAge(path: string, keep: number, place: ForecastPlace): GainByAge {
  const { settings, env, now = Date.now() } = place;
  const area = openAllowedArea(path, settings, env);
  const db = openReadonly({ area: area.megatestDb });
  try {
    const movable = chooseMovable(db, area, [{ keep }], now);
    const { runs, testsOf, perTest } = countAll(db);
    const gains = curveDays.map((days) => {
      const youngest = (now - days * dayMs) / 1000;
      const old = [...movable].flatMap(([id, began]) => (began < youngest ? [id] : []));
      const tests = testsOf(old);
      return { days, runs: old.length, tests, bytes: Math.round(tests * perTest) };
    });
    // What is older than the oldest run tells nothing.
    const end = gains.findIndex((gain) => gain.runs === 0);
    return {
      ...{ area: path, keep, bytes: fileBytes(db), freeBytes: fileBytes(db) - usedBytes(db) },
      runs: runs.length,
      gains: end === -1 ? gains : gains.slice(0, end + 1),
    };
  } finally {
    db.close();
  }
}

/** Returns the runs that a reduce with any of these selectors would consider, with the seconds since 1970 at which they began. */
function chooseMovable(
  db: Connection,
  area: Area,
  requests: readonly RunRequest[],
  now: number,
): Map<bigint, number> {
  const columns = new NameSet(columnNames(db, "area", "runs"));
  const keys = targetKeys(area.config).filter((key) => columns.has(key));
  const movable = new Map<bigint, number>();
  for (const each of requests) {
    const { sql, parameters } = movableRuns(keys, each, now);
    for (const { id, began } of prepared<(string | number)[], { id: bigint; began: bigint }>(db, sql)
      .safeIntegers()
      .iterate(...parameters)) {
      movable.set(id, Number(began));
    }
  }
  return movable;
}

/** Returns the runs that are not hidden, and what a test takes of the bytes in use. */
function countAll(db: Connection) {
  const runs = preparedIds<[]>(db, "SELECT id FROM area.runs WHERE coalesce(state, '') <> 'deleted'").all();
  const tests = countTests(db, runs);
  const testsOf = (ids: Iterable<bigint>) => [...ids].reduce((total, id) => total + (tests.get(id) ?? 0), 0);
  return { runs, testsOf, perTest: usedBytes(db) / Math.max(1, testsOf(runs)) };
}

function estimate(
  db: Connection,
  area: Area,
  request: RunRequest | undefined,
  now: number,
): Omit<AreaForecast, "area" | "problem"> {
  const { rule, requests } = rulesOf(area, request);
  const movable = chooseMovable(db, area, requests, now);
  const recent = new Set(recentRuns(db, now));
  const { runs, testsOf: sum, perTest } = countAll(db);
  return {
    rule,
    bytes: fileBytes(db),
    runs: runs.length,
    movable: {
      runs: movable.size,
      tests: sum(movable.keys()),
      bytes: Math.round(sum(movable.keys()) * perTest),
      oldestAt: movable.size === 0 ? null : isoOrNull(Math.min(...movable.values())),
    },
    growthBytesPerWeek: Math.round((sum(recent) * perTest * 7) / growthDays),
  };
}

function rulesOf(area: Area, request: RunRequest | undefined) {
  if (request !== undefined) return { rule: "options", requests: [request] } as const;
  const { policies } = readPolicies(area.config);
  if (policies.length > 0)
    return { rule: "config", requests: policies.map((policy) => policy.request) } as const;
  return { rule: "default", requests: [{ age: defaultAge }] } as const;
}

function recentRuns(db: Connection, now: number): bigint[] {
  return preparedIds<[number]>(
    db,
    `SELECT id FROM area.runs WHERE coalesce(state, '') <> 'deleted' AND NOT ${isOddTime("event_time")}
       AND CAST(event_time AS INTEGER) > ?`,
  ).all((now - growthDays * dayMs) / 1000);
}

function countTests(db: Connection, runs: readonly bigint[]): Map<bigint, number> {
  const count = prepared<[string], { run: bigint; tests: bigint }>(
    db,
    `SELECT run_id AS run, count(*) AS tests FROM area.tests
       WHERE run_id IN (SELECT value FROM json_each(?)) GROUP BY run_id`,
  ).safeIntegers();
  const counts = new Map<bigint, number>();
  for (let from = 0; from < runs.length; from += runsPerRead) {
    for (const { run, tests } of count.all(idList(runs.slice(from, from + runsPerRead)))) {
      counts.set(run, Number(tests));
    }
  }
  return counts;
}

const pragma = (db: Connection, name: string) => Number(db.pragma(`area.${name}`, { simple: true }));
const fileBytes = (db: Connection) => pragma(db, "page_count") * pragma(db, "page_size");
const usedBytes = (db: Connection) => fileBytes(db) - pragma(db, "freelist_count") * pragma(db, "page_size");

function isoOrNull(seconds: number): string | null {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

import { lstatSync, mkdirSync, readdirSync, realpathSync, rmdirSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { setImmediate as yieldToSignals } from "node:timers/promises";
import { checkOwnDirectory } from "../../shared/area/own-path.ts";
import { JobsError, systemCode } from "../../shared/errors.ts";
import { isInside, resolveInside, resolveRoots } from "../../shared/files/roots.ts";
import { currentUser } from "../../shared/process.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import { shellWord } from "../../shared/shell-word.ts";
import { openSqlite } from "../../shared/sqlite/library.ts";
import { isoTime } from "../areas/iso-time.ts";
import { areaBaseName, cacheDirectoryOf } from "./sample-area/area-files.ts";
import { buildArea, type SampleArea, type SampleAreaOptions } from "./sample-area/build-area.ts";

export interface SampleOptions {
  /** Created if missing; must be empty. */
  directory: string;
  settings: Settings;
  /** Aborted: everything made is removed and the call ends with `interrupted`. */
  signal: AbortSignal;
}

export interface MadeArea {
  area: string;
  cache: string;
  runs: number;
  /** When the oldest and newest run began, ISO 8601. */
  oldest: string;
  newest: string;
  /** Of its megatest.db. */
  bytes: number;
  /** Lines of its `[reduce-records]`. */
  policies: readonly string[];
}

export interface SampleReport {
  directory: string;
  host: string;
  areas: MadeArea[];
}

/** `quietFor`: seconds since the last activity. */
type Shape = Pick<
  SampleAreaOptions,
  "runs" | "days" | "testsPerRun" | "stepsPerTest" | "inFlight" | "policies"
> & { quietFor?: number };

const day = 86_400;

/** By name: one with an automatic policy; one with old runs, at rest for a migration; one with nothing to move yet. */
const shapes: Readonly<Record<string, Shape>> = {
  nightly: { runs: 90, days: 120, testsPerRun: 8, policies: { old: "runname=%; age=30d; keep=5" } },
  release: { runs: 60, days: 400, testsPerRun: 12, stepsPerTest: 8, inFlight: 0, quietFor: 2 * day },
  fresh: { runs: 8, days: 6, testsPerRun: 5 },
};

/**
 * Makes sample areas below a directory, at home on this host, with their caches where Megatest has them. On an error
 * everything made is removed.
 *
 * @throws JobsError `usage` if the directory is not an empty one, or a cache of such an area exists; `outside-roots`;
 *   `not-owner`; `io`; `interrupted`
 */
export async function makeSamples({ directory, settings, signal }: SampleOptions): Promise<SampleReport> {
  const { cacheRoot, user, host } = settings;
  const top = realTarget(resolve(directory));
  assertUsable(top, settings);
  const plans = Object.entries(shapes).map(([name, { quietFor = 0, ...shape }], index) => ({
    ...{ ...shape, directory: join(top, name), cacheRoot, user, host, seed: index + 1 },
    now: Math.floor(Date.now() / 1000) - quietFor,
  }));
  assertNoCaches(plans);
  const made: string[] = [];
  const first = mkdirSync(top, { recursive: true });
  try {
    const areas: MadeArea[] = [];
    for (const plan of plans) {
      await yieldToSignals();
      if (signal.aborted) throw new JobsError("interrupted", "interrupted; what was made has been removed");
      claim(plan.directory);
      made.push(plan.directory);
      made.push(makeCacheDirectory(plan));
      areas.push(describe(buildArea(plan), plan));
    }
    return { directory: top, host, areas };
  } catch (error) {
    for (const path of made.reverse()) rmSync(path, { recursive: true, force: true });
    if (first !== undefined) removeEmpty(top, first);
    throw error;
  }
}

/** Makes the directory of an area. Of two calls at once one makes the first, and the other has made nothing then. */
function claim(directory: string): void {
  try {
    mkdirSync(directory);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
    throw new JobsError("usage", `another mtjobs sample has begun to make ${directory}`, {
      hint: "use its areas, or name another directory",
    });
  }
}

/** Removes a directory and those above it, up to `first`, except for those in which something is. */
function removeEmpty(directory: string, first: string): void {
  try {
    for (let path = directory; isInside(path, first); path = dirname(path)) rmdirSync(path);
  } catch (error) {
    if (!["ENOTEMPTY", "EEXIST", "ENOENT"].includes(systemCode(error))) throw error;
  }
}

/** Resolves the links of the part of a path that exists. */
function realTarget(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT" || dirname(path) === path) throw error;
    return join(realTarget(dirname(path)), basename(path));
  }
}

function assertUsable(top: string, { areas, user }: Settings): void {
  const { uid, username } = currentUser();
  if (user !== username) {
    throw new JobsError("not-owner", `the areas would belong to ${username}, and their caches to ${user}`, {
      hint: `run it as ${user}, or without MTJOBS_USER`,
      details: { runningAs: username, uid, user },
    });
  }
  if (areas.length > 0) resolveInside(top, resolveRoots(areas));
  if (lstatSync(top, { throwIfNoEntry: false }) === undefined) return;
  if (!statSync(top).isDirectory()) throw new JobsError("usage", `${top} is not a directory`);
  if (readdirSync(top).length > 0) {
    throw new JobsError("usage", `${top} is not empty`, {
      hint: "name an empty directory, or one that does not exist",
    });
  }
}

function cacheOf({ directory, cacheRoot, user }: SampleAreaOptions): string {
  return cacheDirectoryOf({ directory, areaName: areaBaseName(directory), cacheRoot, user });
}

function assertNoCaches(plans: readonly SampleAreaOptions[]): void {
  const found = plans.filter((plan) => checkOwnDirectory(plan, cacheOf(plan)) !== undefined).map(cacheOf);
  if (found.length === 0) return;
  throw new JobsError("usage", `there are caches of earlier areas of this path: ${found.join(", ")}`, {
    hint: `remove them if those areas are gone (rm -r ${found.map(shellWord).join(" ")}), or name another directory`,
  });
}

/** Makes one directory at a time, each checked to be this user's: others may write to the cache root. */
function makeCacheDirectory(plan: SampleAreaOptions): string {
  const { cacheRoot } = plan;
  const cache = cacheOf(plan);
  mkdirSync(cacheRoot, { recursive: true });
  let path = cacheRoot;
  for (const name of relative(cacheRoot, cache).split(sep)) {
    path = join(path, name);
    try {
      mkdirSync(path, { mode: 0o755 });
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw error;
    }
    checkOwnDirectory(plan, path);
  }
  return cache;
}

function describe(area: SampleArea, { policies = {} }: SampleAreaOptions): MadeArea {
  const db = openSqlite(area.cacheDb, { readonly: true });
  try {
    const [runs, oldest, newest] = db
      .prepare("SELECT count(*), min(event_time), max(event_time) FROM runs")
      .raw()
      .get() as [number, number, number];
    return {
      ...{ area: area.directory, cache: area.cacheDirectory, runs },
      ...{ oldest: isoTime(oldest * 1000), newest: isoTime(newest * 1000) },
      ...{ bytes: statSync(area.megatestDb).size, policies: Object.keys(policies) },
    };
  } finally {
    db.close();
  }
}

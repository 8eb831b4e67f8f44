import { lstatSync, type Stats, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { JobsError } from "../errors.ts";
import { isInside, resolveInside, resolveRoots } from "../files/roots.ts";
import type { Settings } from "../settings/settings.ts";
import { assertHarmlessJournal } from "../sqlite/journal.ts";
import { areaName } from "./config/area-name.ts";
import { type MegatestConfig, readConfig } from "./config/config.ts";
import { withDefaultPolicies } from "./config/default-policies.ts";

/** A Megatest run area: a directory that every host mounts, possibly under different paths. */
export interface Area {
  /** Absolute, as given. */
  path: string;
  /** `path` with links resolved. */
  realPath: string;
  /** As in cache paths. */
  name: string;
  config: MegatestConfig;
  megatestDb: string;
  /** The moved runs. May not exist yet. */
  completedDb: string;
  /** `.mtjobs`: all other files of mtjobs. May not exist yet. */
  privateDir: string;
  /** `.homehost`. Only read here: Megatest writes its own host into a missing one. */
  homehostFile: string;
}

export interface OpenAreaOptions {
  /** Allowed roots; undefined: no check; empty: all areas are refused. */
  roots?: string[] | undefined;
  /** Environment for `#{getenv X}` and `$MT_TESTSUITE_NAME`; default empty. */
  env?: NodeJS.ProcessEnv;
}

/**
 * Opens an area below `settings.areas`, or anywhere if no root is set.
 *
 * @throws JobsError as `openArea`; `not-owner` if a database's journal names another file, which SQLite would remove
 */
export function openAllowedArea(
  path: string,
  settings: Pick<Settings, "areas">,
  env: NodeJS.ProcessEnv,
): Area {
  const area = openAreaUnchecked(path, settings, env);
  for (const file of [area.megatestDb, area.completedDb]) assertHarmlessJournal(file);
  return area;
}

/**
 * Opens an area without checking journals: call `assertHarmlessJournal` before opening its databases. Throws as
 * `openArea`.
 */
export function openAreaUnchecked(
  path: string,
  settings: Pick<Settings, "areas">,
  env: NodeJS.ProcessEnv,
): Area {
  return openArea(path, { roots: settings.areas.length > 0 ? settings.areas : undefined, env });
}

/** Files that mtjobs writes or SQLite opens. */
const ownFiles = ["completed-runs.db", "completed-runs.db-journal", "megatest.db-journal", "megatest.db-wal"];

/**
 * Opens an area without changing it.
 *
 * @throws JobsError `outside-roots`, `not-an-area` (also for links out of it) or `bad-config`
 */
export function openArea(path: string, { roots, env = {} }: OpenAreaOptions = {}): Area {
  const given = resolve(path);
  const realRoots = roots === undefined ? undefined : resolveRoots(roots);
  const realPath = resolveInside(given, realRoots);
  if (realPath === undefined || !statSync(realPath).isDirectory()) {
    throw notAnArea(
      given,
      `the directory does not exist or cannot be accessed${isText(given) ? "" : `; ${notText}`}`,
    );
  }
  assertOneDatabase(given, realPath);
  const megatestDb = ownDatabase(given, realPath);
  for (const name of ownFiles) assertPlain(realPath, name, (stat) => stat.isFile());
  for (const name of [".mtjobs", ".mtjobs/migration"])
    assertPlain(realPath, name, (stat) => stat.isDirectory());
  const file = join(realPath, "megatest.config");
  const configPath = resolveInside(file, realRoots);
  if (configPath === undefined) throw notAnArea(given, "it has no readable megatest.config");
  const own = readConfig({ file, areaPath: given, roots: realRoots, env });
  const place = { realPath, areaPath: given, roots: realRoots ?? [], env };
  const config = withDefaultPolicies(own, place);
  return {
    path: given,
    realPath,
    name: areaName(given, config, env),
    config,
    megatestDb,
    completedDb: join(realPath, "completed-runs.db"),
    privateDir: join(realPath, ".mtjobs"),
    homehostFile: join(realPath, ".homehost"),
  };
}

/** Where a later Megatest keeps the list of its runs; the runs are in 1.db, 2.db and so on beside it. */
const dividedLayouts = [".mtdb/main.db", ".megatest/main.db", ".db/main.db"];

/** A megatest.db beside such a layout is an export, or is left from before. @throws JobsError `not-an-area` */
function assertOneDatabase(given: string, realPath: string): void {
  const found = dividedLayouts.find((name) => lstatSync(join(realPath, name), { throwIfNoEntry: false }));
  if (found === undefined) return;
  throw new JobsError(
    "not-an-area",
    `${given} is an area of a later Megatest, whose runs are beside ${found}`,
    {
      hint: "mtjobs works on areas whose runs are all in megatest.db (Megatest 1.6)",
    },
  );
}

function ownDatabase(given: string, realPath: string): string {
  const file = resolveInside(join(realPath, "megatest.db"), undefined);
  if (file === undefined) throw notAnArea(given, "it has no readable megatest.db");
  if (!isInside(file, realPath))
    throw notAnArea(given, "its megatest.db is a link to a file outside the area");
  if (!statSync(file).isFile()) throw notAnArea(given, "its megatest.db is not a regular file");
  return file;
}

/** Writes through a link would leave the area. */
function assertPlain(area: string, name: string, isPlain: (stat: Stats) => boolean): void {
  const stat = lstatSync(join(area, name), { throwIfNoEntry: false });
  if (stat !== undefined && !isPlain(stat))
    throw notAnArea(area, `its ${name} is a link or has the wrong file type`);
}

export const isText = (path: string) => !path.includes("\ufffd");
export const notText = "its path is not valid UTF-8, and mtjobs cannot open such paths";

function notAnArea(path: string, reason: string): JobsError {
  return new JobsError("not-an-area", `${path} is not a Megatest area: ${reason}`, {
    hint: "give the directory that contains megatest.config and megatest.db",
  });
}

import { lstatSync } from "node:fs";
import { dirname } from "node:path";
import { targetKeys } from "../../shared/area/config/config.ts";
import { matchRun, targetSql } from "../../shared/area-db/match-run.ts";
import { completedStates } from "../../shared/area-db/run-sides.ts";
import type { RunLabel } from "../../shared/contract/move-result.ts";
import { systemCode } from "../../shared/errors.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import { type Connection, prepared, quoteTexts } from "../../shared/sqlite/connection.ts";
import { NameSet } from "../../shared/sqlite/names.ts";
import { runDirectories } from "../../shared/sqlite/run-directories.ts";
import { type RunId, shownId } from "../../shared/sqlite/run-id.ts";
import { columnNames, hasTable } from "../../shared/sqlite/table.ts";
import { lifeOf, seconds } from "../../shared/sqlite/times.ts";
import { hasCompleted, locateFiles } from "../full-db/locate.ts";
import { openReadonly } from "./open-readonly.ts";

/** Selects runs that match all members. */
export interface DirectoriesRequest {
  target?: string | undefined;
  runname?: string | undefined;
  runId?: readonly RunId[] | undefined;
  /** Milliseconds since the last activity. */
  age?: number | undefined;
}

/** A directory of a moved or purged run. */
export interface ListedDirectory {
  directory: string;
  run: RunLabel;
  state: "moved" | "purged";
  /** Where a purged run was exported to; null: nowhere. */
  exportFile?: string | null;
  /** On this host; null: it cannot be told, as without access to a directory above it. */
  exists: boolean | null;
  /** Another run of the area that uses it, or one above or below it: it must not be removed. */
  usedBy?: RunLabel;
}

export interface DirectoryList {
  area: string;
  directories: ListedDirectory[];
}

type Listed = Pick<ListedDirectory, "run" | "state" | "exportFile"> & { directories: readonly string[] };

/**
 * Lists the directories that tests of moved and purged runs name. Reads only, and looks into no directory.
 *
 * @param path absolute
 * @throws {JobsError} as `locateFiles` and `openReadonly`
 */
export async function listDirectories(
  path: string,
  request: DirectoriesRequest,
  { settings, env }: { settings: Settings; env: NodeJS.ProcessEnv },
): Promise<DirectoryList> {
  const { area, files } = await locateFiles(path, { settings, env });
  if (!hasCompleted(files)) return { area: area.path, directories: [] };
  const { main, megatestDb, completedDb, source } = files;
  const cache = source === "cache" ? { cache: main } : {};
  const db = openReadonly({ area: megatestDb, ...cache, completed: completedDb });
  try {
    const keys = targetKeys(area.config);
    const runs = [...movedRuns(db, keys, request), ...purgedRuns(db, request)];
    const users = usersOf(db, source === "cache" ? ["cache", "area"] : ["area"], keys);
    const moved = usersOf(db, ["completed"], keys);
    const directories = runs.flatMap(({ directories: own, ...run }) =>
      own.map((directory) => {
        const itself = run.state === "moved" ? run.run.id : undefined;
        const usedBy = userOf(users, directory) ?? userOf(moved, directory, itself);
        const exists = isThere(directory);
        return { directory, ...run, exists, ...(usedBy === undefined ? {} : { usedBy }) };
      }),
    );
    return { area: area.path, directories };
  } finally {
    db.close();
  }
}

interface NamedRun {
  id: bigint;
  target: string;
  runname: string;
}

const labelOf = ({ id, target, runname }: NamedRun): RunLabel => ({ id: shownId(id), target, runname });

function presentKeys(db: Connection, part: string, keys: readonly string[]): string[] {
  const columns = new NameSet(columnNames(db, part, "runs"));
  return keys.filter((key) => columns.has(key));
}

/** Returns seconds since 1970. @param age milliseconds */
const activeBefore = (age: number | undefined) =>
  age === undefined ? Number.MAX_SAFE_INTEGER : (Date.now() - age) / 1000;

function movedRuns(db: Connection, keys: readonly string[], request: DirectoriesRequest): Listed[] {
  if (!hasTable(db, "completed", "mtjobs_runs")) return [];
  const present = presentKeys(db, "completed", keys);
  const { sql, parameters } = matchRun(present, request);
  const life = `(SELECT max(${lifeOf("t")}) FROM completed.tests AS t WHERE t.run_id = r.id)`;
  const runs = db
    .prepare<unknown[], NamedRun>(
      `SELECT r.id, ${targetSql(present, "r")} AS target, coalesce(r.runname, '') AS runname
       FROM completed.runs AS r CROSS JOIN completed.mtjobs_runs AS m ON m.run_id = r.id
       WHERE m.state = 'moved' AND ${sql}
         AND max(${seconds("r.event_time")}, coalesce(${life}, 0)) <= ? ORDER BY r.id`,
    )
    .safeIntegers()
    .all(...parameters, activeBefore(request.age));
  return runs.map((run) => ({
    run: labelOf(run),
    state: "moved",
    directories: runDirectories(db, "completed", run),
  }));
}

/** Their target is one text: a pattern for it is matched as a whole. */
function purgedRuns(db: Connection, request: DirectoriesRequest): Listed[] {
  if (!hasTable(db, "completed", "mtjobs_purged")) return [];
  const { sql, parameters } = matchRun(["target"], request);
  const runs = db
    .prepare<unknown[], NamedRun & { exportFile: string | null; directories: string }>(
      `SELECT r.id, r.target, r.runname, r.exportFile, r.directories FROM (
         SELECT run_id AS id, target, runname, '' AS state, '' AS status, active_at, export_file AS exportFile, directories,
           id AS place FROM completed.mtjobs_purged) AS r
       WHERE ${sql} AND coalesce(r.active_at, 0) <= ? ORDER BY r.place`,
    )
    .safeIntegers()
    .all(...parameters, activeBefore(request.age));
  return runs.map(({ exportFile, directories, ...run }) => ({
    run: labelOf(run),
    state: "purged",
    exportFile,
    directories: JSON.parse(directories) as string[],
  }));
}

/** Databases whose runs use directories. */
type UserPart = "cache" | "area" | "completed";

/** Up to two runs of different ids for each path. */
interface Users {
  byDirectory: Map<string, RunLabel[]>;
  /** By every directory above one of theirs. */
  byAncestor: Map<string, RunLabel[]>;
}

/** Returns a run, other than `itself`, with a directory that is, contains or is inside this one. */
function userOf({ byDirectory, byAncestor }: Users, directory: string, itself?: RunId): RunLabel | undefined {
  const other = (runs: RunLabel[] = []) => runs.find(({ id }) => id !== itself);
  const same = other(byDirectory.get(directory)) ?? other(byAncestor.get(directory));
  if (same !== undefined) return same;
  for (const above of ancestorsOf(directory)) {
    const run = other(byDirectory.get(above));
    if (run !== undefined) return run;
  }
  return undefined;
}

function ancestorsOf(directory: string): string[] {
  const above: string[] = [];
  for (let at = dirname(directory); at !== "/" && at !== "."; at = dirname(at)) above.push(at);
  return above;
}

function usersOf(db: Connection, parts: readonly UserPart[], keys: readonly string[]): Users {
  const users: Users = { byDirectory: new Map(), byAncestor: new Map() };
  for (const part of parts) {
    for (const run of runsOf(db, part, keys)) {
      for (const directory of runDirectories(db, part, run)) {
        note(users.byDirectory, directory, run);
        for (const above of ancestorsOf(directory)) note(users.byAncestor, above, run);
      }
    }
  }
  return users;
}

function runsOf(db: Connection, part: UserPart, keys: readonly string[]): NamedRun[] {
  // Runs in any other state are in megatest.db too, or nowhere.
  const counts =
    part === "completed" && hasTable(db, part, "mtjobs_runs")
      ? `r.id IN (SELECT m.run_id FROM completed.mtjobs_runs AS m WHERE m.state IN (${quoteTexts(completedStates)}))`
      : "1";
  return prepared<[], NamedRun>(
    db,
    `SELECT r.id, ${targetSql(presentKeys(db, part, keys), "r")} AS target, coalesce(r.runname, '') AS runname
     FROM ${part}.runs AS r WHERE ${counts} ORDER BY r.id`,
  )
    .safeIntegers()
    .all();
}

function note(users: Map<string, RunLabel[]>, path: string, run: NamedRun): void {
  const known = users.get(path);
  const label = labelOf(run);
  if (known === undefined) users.set(path, [label]);
  else if (known.length < 2 && known[0]?.id !== label.id) known.push(label);
}

function isThere(directory: string): boolean | null {
  try {
    return lstatSync(directory, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    // No file system has such a name.
    return ["ENAMETOOLONG", "ERR_INVALID_ARG_VALUE"].includes(systemCode(error)) ? false : null;
  }
}

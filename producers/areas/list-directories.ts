import { lstatSync } from "node:fs";
import { dirname } from "node:path";
import { targetKeys } from "../../shared/area/config/config.ts";
import { matchRun, targetSql } from "../../shared/area-db/match-run.ts";
import type { RunLabel } from "../../shared/contract/move-result.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import { type Connection, prepared } from "../../shared/sqlite/connection.ts";
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
  /** On this host. */
  exists: boolean;
  /** A run of megatest.db or its cache that uses it, or one above or below it: it must not be removed. */
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
    const directories = runs.flatMap(({ directories: own, ...run }) =>
      own.map((directory) => {
        const usedBy = userOf(users, directory);
        const exists = lstatSync(directory, { throwIfNoEntry: false }) !== undefined;
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

/** Runs that Megatest has. */
interface Users {
  byDirectory: Map<string, RunLabel>;
  /** By every directory above one of theirs. */
  byAncestor: Map<string, RunLabel>;
}

/** Returns a run with a directory that is, contains or is inside this one. */
function userOf({ byDirectory, byAncestor }: Users, directory: string): RunLabel | undefined {
  const above = ancestorsOf(directory).find((each) => byDirectory.has(each));
  return byDirectory.get(directory) ?? byAncestor.get(directory) ?? byDirectory.get(above ?? "");
}

function ancestorsOf(directory: string): string[] {
  const above: string[] = [];
  for (let at = dirname(directory); at !== "/" && at !== "."; at = dirname(at)) above.push(at);
  return above;
}

function usersOf(db: Connection, parts: readonly ("cache" | "area")[], keys: readonly string[]): Users {
  const users: Users = { byDirectory: new Map(), byAncestor: new Map() };
  for (const part of parts) {
    const runs = prepared<[], NamedRun>(
      db,
      `SELECT r.id, ${targetSql(presentKeys(db, part, keys), "r")} AS target, coalesce(r.runname, '') AS runname
       FROM ${part}.runs AS r ORDER BY r.id`,
    )
      .safeIntegers()
      .all();
    for (const run of runs) {
      for (const directory of runDirectories(db, part, run)) {
        users.byDirectory.set(directory, labelOf(run));
        for (const above of ancestorsOf(directory)) users.byAncestor.set(above, labelOf(run));
      }
    }
  }
  return users;
}

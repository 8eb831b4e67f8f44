import { existsSync } from "node:fs";
import type { Area } from "../shared/area/area.ts";
import type { CachePair } from "../shared/area/cache.ts";
import { targetKeys } from "../shared/area/keys.ts";
import { hasContent, namesAnotherFile } from "../shared/sqlite/journal.ts";
import { hasGuards, lostCompleted } from "../shared/sqlite/lost-completed.ts";
import { nameDatabase } from "../shared/sqlite/name-database.ts";
import { cacheOnlyRuns, type Lease, readLease, readSide, readStates, type Side } from "./area-facts.ts";
import { type MigrationFacts, readMigration } from "./migration-facts.ts";
import { type Look, openLook, type Part } from "./open-look.ts";

/** What a short look into an area's databases tells; null stands for what could not be read. */
export interface DatabaseFacts {
  /** Runs in megatest.db, hidden ones left out. */
  runs: number | null;
  /** Runs in completed-runs.db; 0 where there is none. */
  completedRuns: number | null;
  /** Runs that only this host's cache has: no sync has brought them to megatest.db yet. 0 where there is no cache. */
  cacheOnlyRuns: number | null;
  /** Runs of completed-runs.db that are not `moved`, by state: what a job is at, or left when it died. */
  unfinishedRuns: Record<string, number> | null;
  /** By file name, as in `bytes`; a file that is not there is left out. */
  sides: Record<string, Side | null>;
  /** Whether somebody holds the area; null where it cannot be told. */
  held: boolean | null;
  /** Who; null where nobody does, and where it cannot be told. */
  lease: Lease | null;
  /** The last migration, open or not; null where there was none, and where it cannot be told. */
  migration: MigrationFacts | null;
  /** Sentences on what could not be read. */
  problems: string[];
}

type Files = Partial<Record<Part, string>>;

/** Undefined: there is no such file. Null: it cannot be read. */
type Found<T> = T | null | undefined;

/** Reads counts and lease. Leaves no trace, and holds no lock for longer than a look over the table of runs. */
export function readDatabases(area: Area, cache: CachePair | undefined, now = Date.now()): DatabaseFacts {
  const problems: string[] = [];
  const keys = targetKeys(area.config);
  const { megatestDb, completedDb } = area;
  const ours = attempt({ area: megatestDb }, problems, (db) => ({
    ...readSide(db, "area", keys),
    lease: readLease(db, now),
    migration: readMigration(db),
    guards: hasGuards(db, "area"),
  }));
  // A journal that was planted before there is a database keeps every job out.
  const done =
    hasContent(completedDb) || namesAnotherFile(`${completedDb}-journal`)
      ? attempt({ completed: completedDb }, problems, (db) => ({
          ...readSide(db, "completed", keys),
          states: readStates(db),
        }))
      : undefined;
  const isLost = ours?.guards === true && done === undefined && !hasContent(completedDb);
  if (isLost)
    problems.push(`${lostCompleted.text(completedDb, existsSync(completedDb))}; ${lostCompleted.remedy}`);
  // What could not be read alone would only keep the cache from being read beside it.
  const known = {
    ...(ours === null ? {} : { area: megatestDb }),
    ...(done == null ? {} : { completed: completedDb }),
  };
  const cached =
    cache === undefined
      ? undefined
      : attempt({ ...known, cache: cache.megatestDb }, problems, (db) => ({
          ...readSide(db, "cache", keys),
          only: ours === null || done === null ? null : cacheOnlyRuns(db, done !== undefined),
        }));
  return {
    runs: ours?.runs ?? null,
    completedRuns: done === undefined && !isLost ? 0 : (done?.runs ?? null),
    cacheOnlyRuns: cached === undefined ? 0 : (cached?.only ?? null),
    unfinishedRuns: done === undefined ? {} : (done?.states ?? null),
    sides: sidesOf(ours, done, cached),
    held: ours === null ? null : ours.lease !== null,
    lease: ours?.lease ?? null,
    migration: ours?.migration ?? null,
    problems,
  };
}

function attempt<T>(files: Files, problems: string[], read: (db: Look) => T): T | null {
  let db: Look | undefined;
  try {
    db = openLook(files);
    return read(db);
  } catch (error) {
    problems.push(
      `${Object.values(files).at(-1)} cannot be read: ${nameDatabase(error, Object.values(files)).message}`,
    );
    return null;
  } finally {
    db?.close();
  }
}

function sidesOf(area: Found<Side>, completed: Found<Side>, cache: Found<Side>): Record<string, Side | null> {
  const named = { "megatest.db": area, "completed-runs.db": completed, "cache/megatest.db": cache };
  const sides: Record<string, Side | null> = {};
  for (const [name, side] of Object.entries(named)) {
    if (side === undefined) continue;
    // Without what else was read with it.
    sides[name] = side && {
      runs: side.runs,
      oldest: side.oldest,
      newest: side.newest,
      freeBytes: side.freeBytes,
    };
  }
  return sides;
}

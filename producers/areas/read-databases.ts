import { existsSync } from "node:fs";
import type { Area } from "../../shared/area/area.ts";
import type { CachePair } from "../../shared/area/cache/cache.ts";
import { targetKeys } from "../../shared/area/config/config.ts";
import { hasGuards, lostCompleted } from "../../shared/area-db/lost-completed.ts";
import { nameDatabase } from "../../shared/area-db/name-database.ts";
import type { Connection, Part } from "../../shared/sqlite/connection.ts";
import { isNotEmpty, namesAnotherFile } from "../../shared/sqlite/journal.ts";
import type { DatabaseFacts, Side } from "../contract/area.ts";
import { readMigration } from "./migration-status.ts";
import { openReadonly } from "./open-readonly.ts";
import { cacheOnlyRuns, readLease, readSide, readStates } from "./queries.ts";

type Files = Partial<Record<Part, string>>;

/** Undefined: there is no such file. Null: it cannot be read. */
type Found<T> = T | null | undefined;

/** Reads counts and the lease, leaving no trace. No lock lasts longer than a scan of the table of runs. */
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
  // A journal without a database may be planted there; it makes every job refuse.
  const done =
    isNotEmpty(completedDb) || namesAnotherFile(`${completedDb}-journal`)
      ? attempt({ completed: completedDb }, problems, (db) => ({
          ...readSide(db, "completed", keys),
          states: readStates(db),
        }))
      : undefined;
  const isLost = ours?.guards === true && done === undefined && !isNotEmpty(completedDb);
  if (isLost)
    problems.push(`${lostCompleted.text(completedDb, existsSync(completedDb))}; ${lostCompleted.remedy}`);
  // A database that cannot be read would also make the cache beside it unreadable.
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

function attempt<T>(files: Files, problems: string[], read: (db: Connection) => T): T | null {
  let db: Connection | undefined;
  try {
    db = openReadonly(files);
    return read(db);
  } catch (error) {
    problems.push(
      `cannot read ${Object.values(files).at(-1)}: ${nameDatabase(error, Object.values(files)).message}`,
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
    // Omits members read for other purposes.
    sides[name] = side && {
      runs: side.runs,
      oldest: side.oldest,
      newest: side.newest,
      freeBytes: side.freeBytes,
    };
  }
  return sides;
}

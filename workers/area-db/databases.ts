import { existsSync } from "node:fs";
import type { Area } from "../../shared/area/area.ts";
import type { CachePair } from "../../shared/area/cache/cache.ts";
import { defined } from "../../shared/defined.ts";
import { JobsError } from "../../shared/errors.ts";
import { type Connection, openConnection, type Part } from "../../shared/sqlite/connection.ts";
import { hasHotJournal } from "../../shared/sqlite/journal.ts";
import { NameSet } from "../../shared/sqlite/names.ts";
import { columnNames, hasTable } from "../../shared/sqlite/table.ts";
/** How long SQLite itself waits for a lock, ms; longer waits are retried with pauses. */
export const busyTimeoutMs = 25;

export function filesOf(area: Area, cache: CachePair | undefined): Files {
  return defined({
    area: area.megatestDb,
    completed: area.completedDb,
    cache: cache?.megatestDb,
    ref: cache?.refDb,
  });
}

/** Drops completed-runs.db if it does not exist. */
export function existingFiles({ completed, ...sources }: Partial<Files>): Partial<Record<Part, string>> {
  return completed !== undefined && existsSync(completed) ? { ...sources, completed } : sources;
}

export function sourcesOf(files: Files): Source[] {
  return removalOrder.filter((part) => files[part] !== undefined);
}

export function connect(files: Files, parts: readonly Part[]): Connection {
  const chosen = Object.fromEntries(
    parts.flatMap((part) => (files[part] === undefined ? [] : [[part, files[part]]])),
  );
  return openConnection(chosen, { busyTimeoutMs });
}

/** Tables of every Megatest database, with the columns that identify and link their rows. */
const needed: Record<string, readonly string[]> = {
  runs: ["id"],
  tests: ["id", "run_id"],
  test_steps: ["id", "test_id"],
  test_data: ["id", "test_id"],
};

/** @throws JobsError `unknown-schema` if a source lacks what every Megatest database has */
export function assertMegatestSchema(db: Connection, files: Files): void {
  for (const part of sourcesOf(files)) {
    for (const [table, columns] of Object.entries(needed)) {
      if (!hasTable(db, part, table)) refuse(`${files[part]} has no table ${table}`);
      const here = new NameSet(columnNames(db, part, table));
      const missing = columns.find((name) => !here.has(name));
      if (missing !== undefined) refuse(`table ${table} of ${files[part]} has no column ${missing}`);
    }
  }
}

function refuse(what: string): never {
  throw new JobsError("unknown-schema", `${what}: not a Megatest database`, {
    hint: "check the file; nothing was changed",
  });
}

/** Returns the files with a writer's journal. Reading would roll it back, which a dry run must not do. */
export function hotJournals(files: Files): string[] {
  return Object.values(files).filter((file) => file !== undefined && hasHotJournal(file));
}

/**
 * Refuses a completed-runs.db that is missing while its journal exists: SQLite would roll the journal back into the
 * new file.
 *
 * @throws JobsError `conflict`
 */
export function assertNoJournalLeft({ completed }: Files): void {
  // Checked again: another job may have created it, and be using it.
  if (existsSync(completed) || !hasHotJournal(completed) || existsSync(completed)) return;
  throw new JobsError("conflict", `${completed} is missing, but its journal ${completed}-journal exists`, {
    hint: "restore the completed-runs.db that it belongs to; if that is lost, move the journal away",
  });
}

/** The databases of an area that hold runs before a move, in the order in which a run is removed from them. */
export const removalOrder = ["cache", "ref", "area"] as const satisfies readonly Part[];

export type Source = (typeof removalOrder)[number];

/** Paths of the databases at hand; without the cache's if `/tmp` was cleaned or never filled. */
export interface Files {
  area: string;
  cache?: string;
  ref?: string;
  completed: string;
}

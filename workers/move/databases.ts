import { existsSync } from "node:fs";
import type { Area } from "../../shared/area/area.ts";
import type { CachePair } from "../../shared/area/cache.ts";
import { JobsError } from "../../shared/errors.ts";
import { type Connection, openConnection, type Part } from "../../shared/sqlite/connection.ts";
import { hasHotJournal } from "../../shared/sqlite/journal.ts";
import { NameSet } from "../../shared/sqlite/names.ts";
import { columnNames, hasTable } from "../../shared/sqlite/table.ts";
import { type Files, removalOrder, type Source } from "./move.ts";

/** How long SQLite itself waits for a lock, in ms; what is longer is waited out with pauses between. */
export const busyTimeoutMs = 25;

export function filesOf(area: Area, cache: CachePair | undefined): Files {
  return {
    area: area.megatestDb,
    completed: area.completedDb,
    ...(cache === undefined ? {} : { cache: cache.megatestDb }),
    ...(cache?.refDb === undefined ? {} : { ref: cache.refDb }),
  };
}

/** Without completed-runs.db where that is not there yet. */
export function existingFiles({ completed, ...sources }: Partial<Files>): Partial<Record<Part, string>> {
  return completed !== undefined && existsSync(completed) ? { ...sources, completed } : sources;
}

export function sourcesOf(files: Files): Source[] {
  return removalOrder.filter((part) => files[part] !== undefined);
}

/** Attaches the parts named. */
export function connect(files: Files, parts: readonly Part[]): Connection {
  const chosen = Object.fromEntries(
    parts.flatMap((part) => (files[part] === undefined ? [] : [[part, files[part]]])),
  );
  return openConnection(chosen, { busyTimeoutMs });
}

/** Tables of every Megatest database, and the columns by which their rows are told apart and hang together. */
const needed: Record<string, readonly string[]> = {
  runs: ["id"],
  tests: ["id", "run_id"],
  test_steps: ["id", "test_id"],
  test_data: ["id", "test_id"],
};

/** @throws JobsError `unknown-schema` where a source lacks what every Megatest database has */
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
  throw new JobsError("unknown-schema", `${what}: it is not a Megatest database`, {
    hint: "look at the file; nothing was changed",
  });
}

/**
 * Files with a journal that a writer left, or is at work with. Reading through one would roll it back, which
 * a dry run must not do.
 */
export function hotJournals(files: Files): string[] {
  return Object.values(files).filter((file) => file !== undefined && hasHotJournal(file));
}

/**
 * SQLite would play a journal back over the database that a job makes in place of one that is gone.
 *
 * @throws JobsError `conflict`
 */
export function assertNoJournalLeft({ completed }: Files): void {
  // Looked for again: another job may have made it, and be at work in it, meanwhile.
  if (existsSync(completed) || !hasHotJournal(completed) || existsSync(completed)) return;
  throw new JobsError(
    "conflict",
    `${completed} is gone, and its journal ${completed}-journal is still there`,
    {
      hint: "put back the completed-runs.db that it belongs to; where that is lost for good, move the journal away",
    },
  );
}

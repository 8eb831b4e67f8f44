import { existsSync } from "node:fs";
import type { Area } from "../../shared/area/area.ts";
import type { CachePair } from "../../shared/area/cache/cache.ts";
import { assertMegatestSchema } from "../../shared/area-db/requirements.ts";
import { defined } from "../../shared/defined.ts";
import { type Connection, openConnection, type Part } from "../../shared/sqlite/connection.ts";
import { hasHotJournal } from "../../shared/sqlite/journal.ts";
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

/** @throws JobsError `unknown-schema` if a source lacks what every Megatest database has */
export function assertMegatestSchemas(db: Connection, files: Files): void {
  for (const part of sourcesOf(files)) assertMegatestSchema(db, part, files[part] ?? "");
}

/** Returns the files with a writer's journal. Reading would roll it back, which a dry run must not do. */
export function hotJournals(files: Files): string[] {
  return Object.values(files).filter((file) => file !== undefined && hasHotJournal(file));
}

/** The databases of an area that hold runs before a move, in the order in which a run is removed from them. */
export const removalOrder = ["cache", "ref", "area"] as const satisfies readonly Part[];

export type Source = (typeof removalOrder)[number];

/** Names of the databases in messages. */
export const fileNames = {
  area: "megatest.db",
  cache: "the cache",
  ref: "the cache's ref",
  completed: "completed-runs.db",
} as const;

/** Paths of the databases at hand; without the cache's if `/tmp` was cleaned or never filled. */
export interface Files {
  area: string;
  cache?: string;
  ref?: string;
  completed: string;
}

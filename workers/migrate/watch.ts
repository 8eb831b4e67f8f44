import type { Area } from "../../shared/area/area.ts";
import type { JobContext } from "../../shared/job-context.ts";
import type { MigrationRow } from "../../shared/migration-row.ts";
import { readMigrationFiles, writeWatched } from "./migration-files.ts";

/** Longer than anybody holds what a file server told of `.homehost` (60 s), ms. */
const defaultSettleMs = 75_000;

/**
 * One look of the old home, after the switch, for processes that did not notice. It writes to the migration's directory
 * alone: megatest.db is the new home's.
 *
 * @returns ms until the next look; undefined when it has watched long enough
 */
export async function watch(area: Area, row: MigrationRow, context: JobContext): Promise<number | undefined> {
  const settleMs = context.settleMs ?? defaultSettleMs;
  const now = Date.now();
  const begun = { since: now, until: now + settleMs, strays: 0, done: false };
  const watched = readMigrationFiles(area, row.token).watched ?? begun;
  const done = now >= watched.until;
  writeWatched(area, row.token, { ...watched, done });
  return done ? undefined : Math.min(watched.until - now, Math.max(settleMs / 10, 50));
}

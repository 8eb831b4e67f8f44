import type { Area } from "../../../shared/area/area.ts";
import { appendHistory } from "../../../shared/area/history.ts";
import { readHomehost } from "../../../shared/area/homehost.ts";
import type { MigrationRow } from "../../../shared/contract/migration-row.ts";
import { JobsError } from "../../../shared/errors.ts";
import type { JobContext } from "../../area-db/job-context.ts";
import { divergentCacheNumbers, mergeCaches } from "../merge/merge-caches.ts";
import { removeNextHomes, withdrawNextHome } from "../pair/homehost-file.ts";
import { cleanPair, finishCleaning } from "../pair/install.ts";
import { withPairGuard } from "../pair/pair-guard.ts";
import { readMigrationFiles, removeMigrationDirectory, writeNewClean } from "../state/migration-files.ts";
import { type MergedCaches, undoneLine } from "../state/migration-history.ts";
import type { MigrationSession } from "../state/migration-session.ts";
import { advance, migrationOf, updateMigration } from "../state/migration-table.ts";
import { isNewClean } from "../state/next-action.ts";
import { openMigrations } from "../state/open-migrations.ts";
import { openPair } from "./open-pair.ts";

export async function rowOf(session: MigrationSession, jobId: string): Promise<MigrationRow> {
  const row = await session.read(() => migrationOf(session.db, jobId));
  if (row !== undefined) return row;
  throw new JobsError("rolled-back", "this migration has no row in megatest.db", {
    hint: "megatest.db was replaced during the migration; check .homehost and try again",
  });
}

/**
 * Resolves an abandoned migration: undoes it, unless `.homehost` already names the new home. First revokes what could
 * still switch it.
 */
export async function decideMigration(
  session: MigrationSession,
  row: MigrationRow,
  reason: string,
): Promise<MigrationRow> {
  const { db, area } = session;
  if (row.state === "intent" && row.switch_token !== null) {
    withdrawNextHome(area, row.switch_token);
    if (readHomehost(area).value === row.to_home) {
      await session.commit("area", () => advance(db, row.token, "switched"));
      return await rowOf(session, row.job_id);
    }
  }
  await session.commit("area", () => advance(db, row.token, "undoing", { reason }));
  return await rowOf(session, row.job_id);
}

/** Reopens the old home's pair. The ref first, because a sync writes there first. */
export async function openOld(session: MigrationSession, row: MigrationRow): Promise<void> {
  const { db, context } = session;
  await openPair(session, row);
  context.failpoint("old-opened");
  await session.commit("area", () => updateMigration(db, row.token, "undoing", { old_ready: 1 }));
}

/** Ends an undo once nothing is left on the new home, and merges what was written to a pair that existed there. */
export async function finishUndo(session: MigrationSession, row: MigrationRow): Promise<void> {
  const { db, context } = session;
  const numbers = divergentCacheNumbers(session.area, row.token);
  const merged = numbers.length === 0 ? undefined : await mergeCaches(session, row);
  await session.commit("area", () => advance(db, row.token, "undone"));
  context.failpoint("migration-undone");
  await cleanupUndone(session, await rowOf(session, row.job_id), merged);
}

/**
 * Cleans up after an undone migration; may be repeated.
 *
 * @param merged undefined if unknown: then the copies stay
 */
export async function cleanupUndone(
  session: MigrationSession,
  row: MigrationRow,
  merged?: MergedCaches,
): Promise<void> {
  appendHistory(session.area, undoneLine(row, merged));
  removeNextHomes(session.area);
  removeMigrationDirectory(session.area, row.token, merged?.done);
  await session.giveBack();
}

/** Undoes as much as is possible now, on the old home. */
export async function undoOnOld(session: MigrationSession, row: MigrationRow, reason: string): Promise<void> {
  const undoing = row.state === "undoing" ? row : await decideMigration(session, row, reason);
  if (undoing.old_ready === 0) await openOld(session, undoing);
  const opened = await rowOf(session, row.job_id);
  if (isNewClean(opened, readMigrationFiles(session.area, row.token))) await finishUndo(session, opened);
  else await session.giveBack();
}

/** Removes this migration's files from the new home. */
export async function cleanNew(area: Area, row: MigrationRow, context: JobContext): Promise<void> {
  await withPairGuard(context.settings, async () => {
    // `undoing` is permanent.
    const migrations = await openMigrations(area, context);
    const isUndoing = migrations.some(
      ({ row: { token, state } }) => token === row.token && state === "undoing",
    );
    // Afterwards nothing records that a pair existed before.
    if (isUndoing && !readMigrationFiles(area, row.token).newClean)
      await cleanPair({ area, ...context }, row.token, row.from_home);
    context.failpoint("new-cleaned");
    writeNewClean(area, row.token);
    finishCleaning({ area, ...context }, row.token);
  });
}

import { type Area, openAllowedArea } from "../../../shared/area/area.ts";
import { findCache } from "../../../shared/area/cache/cache.ts";
import { appendHistory } from "../../../shared/area/history.ts";
import { readHomehost } from "../../../shared/area/homehost.ts";
import type { MigrationRow } from "../../../shared/contract/migration-row.ts";
import type { JobContext } from "../../area-db/job-context.ts";
import { oldClientWarnings } from "../checks/old-clients.ts";
import { movedError } from "../checks/refusal.ts";
import { mergeCaches } from "../merge/merge-caches.ts";
import { removeNextHomes } from "../pair/homehost-file.ts";
import { readMigrationFiles, removeMigrationDirectory } from "../state/migration-files.ts";
import { type MergeCounts, type MergedCaches, settledLine } from "../state/migration-history.ts";
import { type MigrationSession, withMigration } from "../state/migration-session.ts";
import { advance } from "../state/migration-table.ts";
import type { LocalStepPayload } from "./switch.ts";
import { rowOf } from "./undo.ts";

export interface Settled {
  strays: MergeCounts;
  /** Sentences on what was not merged, or is still written to. */
  warnings: readonly string[];
}

/** Merges divergent caches and ends the migration, once the old home's watch is over. */
export async function settle(session: MigrationSession, row: MigrationRow): Promise<Settled> {
  const mergedCaches = await mergeCaches(session, row);
  await session.commit("area", () => advance(session.db, row.token, "settled"));
  session.context.failpoint("migration-settled");
  const warnings = await cleanupSettled(session, await rowOf(session, row.job_id), mergedCaches);
  return { strays: { merged: mergedCaches.merged, kept: mergedCaches.kept }, warnings };
}

/** Cleans up after a settled migration; may be repeated. Returns warnings. */
export async function cleanupSettled(
  session: MigrationSession,
  row: MigrationRow,
  mergedCaches?: MergedCaches,
): Promise<readonly string[]> {
  const { merged = 0, kept = 0, done } = mergedCaches ?? {};
  const { there, watched } = readMigrationFiles(session.area, row.token);
  const warnings = [...(mergedCaches?.warnings ?? []), ...Object.values(watched?.problems ?? {})];
  appendHistory(session.area, settledLine(row, { merged, kept }, warnings));
  removeNextHomes(session.area);
  if (there || mergedCaches !== undefined) removeMigrationDirectory(session.area, row.token, done);
  await session.giveBack();
  return warnings;
}

export interface WatchOutcome extends Settled {
  settled: boolean;
}

/**
 * Keeps the lease on the new home while the old one watches, and ends the migration afterwards.
 *
 * @throws JobsError that says that the homehost has moved
 */
export async function awaitWatch(payload: LocalStepPayload, context: JobContext): Promise<WatchOutcome> {
  const area = openAllowedArea(payload.area, context.settings, context.env);
  try {
    return await settleIfWatched(area, payload, context);
  } catch (error) {
    throw movedError(readHomehost(area).value ?? "the new home", error);
  }
}

async function settleIfWatched(
  area: Area,
  payload: LocalStepPayload,
  context: JobContext,
): Promise<WatchOutcome> {
  const { settings } = context;
  const options = {
    context,
    area,
    pair: findCache(area, settings),
    migration: payload.migration,
    lease: "any",
  } as const;
  return await withMigration(options, async (session) => {
    const row = await rowOf(session, payload.migration);
    if (row.state === "switched" && readMigrationFiles(area, row.token).watched?.done === true) {
      const { warnings, ...rest } = await settle(session, row);
      return {
        settled: true,
        ...rest,
        warnings: [...warnings, ...oldClientWarnings(area, settings.host, row)],
      };
    }
    const settled = row.state === "settled";
    // An earlier step died after settling.
    const warnings = settled ? await cleanupSettled(session, row) : [];
    if (!settled) await session.handOver();
    return { settled, strays: { merged: 0, kept: 0 }, warnings };
  });
}

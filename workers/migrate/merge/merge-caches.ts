import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { MigrationRow } from "../../../shared/contract/migration-row.ts";
import { plural } from "../../../shared/text.ts";
import { areaSession } from "../../records/area-session.ts";
import { snapshotNames } from "../pair/copy-database.ts";
import { divergentCacheFiles } from "../pair/divergent-caches.ts";
import { baseFile, migrationDirectory } from "../state/migration-files.ts";
import type { MergedCaches } from "../state/migration-history.ts";
import type { MigrationSession } from "../state/migration-session.ts";
import { mergeCache } from "./merge-cache.ts";
import { repairOverwritten } from "./repair-overwritten.ts";

/**
 * Merges divergent caches into the home (the old one if a migration is undone), and repairs what their syncs
 * overwrote in megatest.db. May be repeated.
 */
export async function mergeCaches(session: MigrationSession, row: MigrationRow): Promise<MergedCaches> {
  const { area, context, files } = session;
  const done: number[] = [];
  const total = { merged: 0, kept: 0, done, warnings: [] };
  const directory = migrationDirectory(area, row.token);
  const missing =
    files.cache === undefined ? "a cache" : existsSync(files.completed) ? undefined : "completed-runs.db";
  if (missing !== undefined) return { ...total, warnings: notMerged(directory, missing) };
  const rows = await session.read(() => areaSession(session));
  for (const n of divergentCacheNumbers(directory)) {
    const { cache: divergent, ref } = divergentCacheFiles(directory, n);
    // Not its own ref, which advances with its syncs: synced rows would look unchanged, even if the home's sync
    // overwrote them. Cache 0 diverged in an earlier migration, whose files are gone.
    const parted = n === 0 ? [] : [baseFile(area, row.token), join(directory, snapshotNames.ref)];
    const base = [...parted, ref].find((file) => existsSync(file));
    const own = base === ref ? undefined : existsSync(ref) ? ref : null;
    const { merged, kept } = await mergeCache({ session: rows, divergent, base, own });
    total.merged += merged;
    total.kept += kept;
    if (kept === 0) done.push(n);
    context.failpoint("stray-merged");
  }
  total.merged += await repairOverwritten(rows);
  return total;
}

function notMerged(directory: string, missing: string): string[] {
  const count = divergentCacheNumbers(directory).length;
  if (count === 0) return [];
  return [
    `${plural(count, "divergent cache")} in ${directory} could not be merged because the home lacks ${missing}; the copies are kept there.`,
  ];
}

/** Returns the numbers of the divergent caches in the area, in order. */
export function divergentCacheNumbers(directory: string): number[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .flatMap((name) => /^stray-(\d{1,6})\.db$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

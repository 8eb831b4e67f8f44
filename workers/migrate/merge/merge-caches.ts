import { existsSync, readdirSync } from "node:fs";
import type { Area } from "../../../shared/area/area.ts";
import type { MigrationRow } from "../../../shared/contract/migration-row.ts";
import { plural } from "../../../shared/text.ts";
import { areaSession } from "../../records/area-session.ts";
import { checkDirectory } from "../pair/handed-over.ts";
import { migrationDirectory } from "../state/migration-files.ts";
import type { MergedCaches } from "../state/migration-history.ts";
import type { MigrationSession } from "../state/migration-session.ts";
import { withHandedOver } from "./handed-over-caches.ts";
import type { DivergentFiles } from "./match-rows.ts";
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
  const missing =
    files.cache === undefined ? "a cache" : existsSync(files.completed) ? undefined : "completed-runs.db";
  if (missing !== undefined) return { ...total, warnings: notMerged(area, row.token, missing) };
  const rows = await session.read(() => areaSession(session));
  for (const n of divergentCacheNumbers(area, row.token)) {
    const merge = (files: DivergentFiles) => mergeCache({ session: rows, ...files });
    const merged = await withHandedOver(session, row, n, merge);
    if (merged === undefined) continue;
    total.merged += merged.merged;
    total.kept += merged.kept;
    if (merged.kept === 0) done.push(n);
    context.failpoint("stray-merged");
  }
  total.merged += await repairOverwritten(rows);
  return total;
}

function notMerged(area: Area, token: number, missing: string): string[] {
  const count = divergentCacheNumbers(area, token).length;
  if (count === 0) return [];
  return [
    `${plural(count, "divergent cache")} in ${migrationDirectory(area, token)} could not be merged because the home lacks ${missing}; the copies are kept there.`,
  ];
}

/** Returns the numbers of the divergent caches that a migration left in the area, in order. */
export function divergentCacheNumbers(area: Area, token: number): number[] {
  const directory = migrationDirectory(area, token);
  if (!checkDirectory(area, directory)) return [];
  return readdirSync(directory)
    .flatMap((name) => /^stray-(\d{1,6})\.db$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

import { existsSync, readdirSync } from "node:fs";
import type { Area } from "../../../shared/area/area.ts";
import type { MigrationRow } from "../../../shared/contract/migration-row.ts";
import type { ErrorCode } from "../../../shared/error-codes.ts";
import { toJobsError } from "../../../shared/errors.ts";
import { plural } from "../../../shared/text.ts";
import { areaSession } from "../../records/area-session.ts";
import { divergentCacheFiles } from "../pair/divergent-caches.ts";
import { checkDirectory } from "../pair/handed-over.ts";
import { migrationDirectory } from "../state/migration-files.ts";
import type { MergedCaches } from "../state/migration-history.ts";
import type { MigrationSession } from "../state/migration-session.ts";
import { withHandedOver } from "./handed-over-caches.ts";
import type { DivergentFiles } from "./match-rows.ts";
import { type Merged, mergeCache } from "./merge-cache.ts";
import { repairOverwritten } from "./repair-overwritten.ts";

/**
 * Merges divergent caches into the home (the old one if a migration is undone), and repairs what their syncs
 * overwrote in megatest.db. One that cannot be merged stays in the area, with a warning. May be repeated.
 */
export async function mergeCaches(session: MigrationSession, row: MigrationRow): Promise<MergedCaches> {
  const { area, context, files } = session;
  const done: number[] = [];
  const warnings: string[] = [];
  const total = { merged: 0, kept: 0, done, warnings };
  const missing =
    files.cache === undefined ? "a cache" : existsSync(files.completed) ? undefined : "completed-runs.db";
  if (missing !== undefined) return { ...total, warnings: notMerged(area, row.token, missing) };
  const rows = await session.read(() => areaSession(session));
  for (const n of divergentCacheNumbers(area, row.token)) {
    let isSound = false;
    const merge = (files: DivergentFiles) => {
      isSound = true;
      return mergeCache({ session: rows, ...files });
    };
    let merged: Merged | undefined;
    try {
      merged = await withHandedOver(session, row, n, merge);
    } catch (error) {
      // Its copies were checked before the merge: this damage is the home's.
      if (isSound && toJobsError(error).code === "corrupt") throw error;
      warnings.push(keptWhole(divergentCacheFiles(migrationDirectory(area, row.token), n).cache, error));
      context.log(warnings.at(-1) ?? "");
    }
    if (merged === undefined) continue;
    total.merged += merged.merged;
    total.kept += merged.kept;
    if (merged.kept === 0) done.push(n);
    context.failpoint("stray-merged");
  }
  total.merged += await repairOverwritten(rows);
  return total;
}

/** Faults of one divergent cache: they must not keep the others from the home, or the migration from its end. */
const ofOneCache: readonly ErrorCode[] = ["corrupt", "conflict", "unknown-schema", "not-owner"];

/** Returns a sentence about a divergent cache that is not merged. @throws the error if it is not of that cache */
function keptWhole(file: string, thrown: unknown): string {
  const error = toJobsError(thrown);
  if (!ofOneCache.includes(error.code)) throw thrown;
  const why = error.message.startsWith(`${file} `) ? `it${error.message.slice(file.length)}` : error.message;
  return `${file} was not merged, and is kept: ${why}.`;
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

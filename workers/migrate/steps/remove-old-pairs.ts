import type { Area } from "../../../shared/area/area.ts";
import { decideHome, readHomehost } from "../../../shared/area/homehost.ts";
import type { JobContext } from "../../area-db/job-context.ts";
import { retryWhileBusy } from "../../area-db/transaction.ts";
import {
  hasOwnFiles,
  ownPairs,
  readMark,
  removeIfEmpty,
  removeOwnFiles,
  removePair,
} from "../pair/pair-files.ts";
import { withPairGuard } from "../pair/pair-guard.ts";
import { openMigrations } from "../state/open-migrations.ts";

/** How long a closed pair is kept for inspection and open readers, ms. */
const keptMs = 7 * 24 * 3_600_000;

/**
 * Removes this host's unchanged pairs that were closed long ago and are not open, and files of migrations that ended
 * without this host. Does nothing on the home, or during a migration.
 */
export async function removeOldPairs(area: Area, context: JobContext, now = Date.now()): Promise<void> {
  const { settings, signal } = context;
  const old = () =>
    retryWhileBusy(signal, () =>
      ownPairs(area, settings).filter(({ pair }) => {
        if (pair === undefined) return false;
        const { mark, untouched } = readMark(pair);
        return mark !== undefined && untouched && now - mark.closedAt > keptMs;
      }),
    );
  const left = () => ownPairs(area, settings).filter(({ directory }) => hasOwnFiles(directory));
  if ((await old()).length === 0 && left().length === 0) return;
  await withPairGuard(settings, async () => {
    const { atHome } = await decideHome(readHomehost(area), settings);
    const stands = await openMigrations(area, context);
    if (atHome !== false || stands.some(({ row }) => !["settled", "undone"].includes(row.state))) return;
    for (const { directory } of left()) {
      removeOwnFiles(directory);
      removeIfEmpty(directory);
    }
    for (const { directory } of await old()) {
      if (removePair(directory)) context.log(`Removed ${directory}: the homehost moved away long ago.`);
    }
  });
}

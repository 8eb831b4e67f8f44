import { gapName } from "../../../shared/area-db/hidden-row-names.ts";
import { isWhole, readHidden, writeHidden } from "../../../shared/area-db/hidden-rows.ts";
import { fitHidden, keysIn, type TableIds } from "../../../shared/area-db/hidden-values.ts";
import { idAbove } from "../../../shared/area-db/id-room.ts";
import { type IdentifiedTable, identifiedTables } from "../../../shared/area-db/record-tables.ts";
import { type Connection, openConnection, type Part } from "../../../shared/sqlite/connection.ts";
import { largestId } from "../../../shared/sqlite/ids.ts";
import { hasColumn } from "../../../shared/sqlite/table.ts";
import { busyTimeoutMs, existingFiles, type Files } from "../../area-db/databases.ts";
import type { AreaSession } from "../../records/area-session.ts";

export type GapIds = TableIds;

/** More rows than an old home creates before it detects the move. */
const width = 1_000_000n;

/**
 * Returns ids far above all in the given databases. The new home assigns higher ones, so rows created on the old home
 * by mistake never share an id with its rows.
 */
export function gapAbove(db: Connection, parts: readonly Part[]): GapIds {
  const highest = (table: IdentifiedTable) =>
    parts
      .filter((part) => hasColumn(db, part, table, "id"))
      .map((part) => largestId(db, `${part}.${table}`) ?? 0n)
      .reduce((most, id) => (id > most ? id : most), 0n);
  return Object.fromEntries(
    identifiedTables.map((table) => [table, idAbove(table, highest(table), width - 1n)]),
  ) as GapIds;
}

/**
 * Writes the gap's hidden rows, the same in cache and ref, so that a sync finds no difference. Never to megatest.db,
 * from which a new cache on the old home would copy them. Call inside a transaction.
 */
export function writeGap(db: Connection, ids: GapIds, parts: readonly ("cache" | "ref")[]): void {
  for (const part of parts)
    writeHidden(db, part, { name: gapName, ids, keys: keysIn(db, part), comment: gapComment });
}

const gapComment = "keeps ids of the new homehost apart from those of the old one; see megatest-jobs";

/**
 * Checks that the schema accepts the gap's rows.
 *
 * @throws JobsError `unknown-schema`, `ids-used-up`
 */
export function assertGapFit(files: Files): void {
  const given = existingFiles(files);
  const db = openConnection(given, { busyTimeoutMs });
  try {
    const ids = gapAbove(db, Object.keys(given) as Part[]);
    fitHidden(db, { name: gapName, ids, keys: keysIn(db, "area"), comment: gapComment });
  } finally {
    db.close();
  }
}

/**
 * Restores gap rows that Megatest's clean-up deleted, and gives rows of an earlier version a time that `-remove-runs`
 * spares. Without any row there was no gap.
 */
export async function repairGap(session: AreaSession): Promise<void> {
  const { db, sources } = session;
  const parts = (["cache", "ref"] as const).filter((part) => sources.includes(part));
  const missing = await session.read(() => missingGap(db, parts, sources));
  if (missing === undefined) return;
  const { ids, isCacheOutdated } = missing;
  // A sync in between copies rows that the ref lacks to megatest.db, which must have no gap.
  for (const part of isCacheOutdated ? parts : parts.toReversed())
    await session.commit(part, () => writeGap(db, ids, [part]));
}

/** Returns the gap's ids, and whether the cache's rows must change; undefined if all or none exist. */
function missingGap(
  db: Connection,
  parts: readonly ("cache" | "ref")[],
  sources: readonly Part[],
): { ids: GapIds; isCacheOutdated: boolean } | undefined {
  const found = parts.map((part) => readHidden(db, part, gapName));
  const standing = Object.assign({}, ...found.toReversed().map(({ ids }) => ids)) as Partial<GapIds>;
  if (Object.keys(standing).length === 0) return undefined;
  const isSame = ({ ids }: { ids: Partial<GapIds> }) =>
    identifiedTables.every((table) => ids[table] === standing[table]);
  if (isWhole(standing) && found.every((gap) => gap.areLasting && isSame(gap))) return undefined;
  const ids = { ...gapAbove(db, [...sources, "completed"]), ...standing };
  return { ids, isCacheOutdated: found[0]?.areLasting === false };
}

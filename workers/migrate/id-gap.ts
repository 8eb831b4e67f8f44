import { gapName } from "../../shared/id-guard-name.ts";
import { type IdentifiedTable, identifiedTables } from "../../shared/record-tables.ts";
import { type Connection, openConnection, type Part } from "../../shared/sqlite/connection.ts";
import { isWhole, readHidden, writeHidden } from "../../shared/sqlite/hidden-rows.ts";
import { fitHidden, keysIn, type TableIds } from "../../shared/sqlite/hidden-values.ts";
import { idAbove } from "../../shared/sqlite/id-room.ts";
import { largestId } from "../../shared/sqlite/ids.ts";
import { columnNames } from "../../shared/sqlite/table.ts";
import { proveToken } from "../fence.ts";
import { busyTimeoutMs, existingFiles } from "../move/databases.ts";
import type { Files, Move } from "../move/move.ts";
import { outwaitBusy, transact } from "../move/transaction.ts";

/** Ids of the rows that make the gap, by table. */
export type GapIds = TableIds;

/** More than an old home makes in rows before it notices that it is no home any more. */
const width = 1_000_000n;

/**
 * Ids a wide gap above every one in the databases given. The new home hands out ids above them, so a row that is made
 * on the old home by accident never has the id of one that was made on the new.
 */
export function gapAbove(db: Connection, parts: readonly Part[]): GapIds {
  const highest = (table: IdentifiedTable) =>
    parts
      .filter((part) => columnNames(db, part, table).includes("id"))
      .map((part) => largestId(db, `${part}.${table}`) ?? 0n)
      .reduce((most, id) => (id > most ? id : most), 0n);
  return Object.fromEntries(
    identifiedTables.map((table) => [table, idAbove(table, highest(table), width - 1n)]),
  ) as GapIds;
}

/**
 * Puts the gap's hidden rows into cache and ref, the same in both, so that a sync finds nothing to do; in place of those of
 * an earlier migration. Never into megatest.db: a cache made anew on the old home would take them from there. Call inside
 * a transaction.
 */
export function writeGap(db: Connection, ids: GapIds, parts: readonly ("cache" | "ref")[]): void {
  for (const part of parts)
    writeHidden(db, part, { name: gapName, ids, keys: keysIn(db, part), comment: gapComment });
}

const gapComment = "keeps ids of the new homehost apart from those of the old one; see megatest-jobs";

/** Makes sure that a copy of the pair would take the gap, before a migration begins. @throws JobsError `unknown-schema`, `ids-used-up` */
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
 * Puts back what Megatest has deleted of a gap (its clean-up deletes hidden runs and tests, and leaves a step and a datum of no
 * test), and gives the rows of an earlier version a time that its `-remove-runs` spares. Where no row is left, there was none: a
 * cache that was made anew has no gap.
 */
export async function mendGap(
  { db, sources, token, context }: Pick<Move, "db" | "sources" | "token" | "context">,
  beforeCommit: () => void,
): Promise<void> {
  const parts = (["cache", "ref"] as const).filter((part) => sources.includes(part));
  const missing = await outwaitBusy(context.signal, () => missingGap(db, parts, sources));
  if (missing === undefined) return;
  const { ids, isCacheOutdated } = missing;
  // Megatest's sync may run in between, and carries what the cache has and the ref lacks to megatest.db, where no gap may be.
  for (const part of isCacheOutdated ? parts : parts.toReversed()) {
    await outwaitBusy(context.signal, () => {
      beforeCommit();
      transact(db, () => {
        proveToken(db, part, token, Date.now());
        writeGap(db, ids, [part]);
      });
    });
  }
}

/** The ids of the gap's rows, and whether the cache has rows that must change; undefined if all of them stand, or none. */
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

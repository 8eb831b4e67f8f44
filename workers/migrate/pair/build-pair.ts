import type { CachePair } from "../../../shared/area/cache/cache.ts";
import { JobsError } from "../../../shared/errors.ts";
import { openConnection, quoteName } from "../../../shared/sqlite/connection.ts";
import { raiseFenceToken } from "../../area-db/fence.ts";
import { transact } from "../../area-db/transaction.ts";
import { closeDatabase, type PairPart } from "./closed.ts";
import { digestInThread } from "./digest-in-thread.ts";
import { copyHandedOver } from "./handed-over.ts";
import { copyParts, type Installing, preparePairDirectory, putPair } from "./install.ts";

export interface BuildOptions extends Installing {
  /** Copy of megatest.db from before the take-over. */
  base: string;
  /** The migration's directory, which receives a divergent cache found on this host. */
  directory: string;
  /** What `.homehost` will hold. */
  movedTo: string;
}

/**
 * Builds this host's closed pair for a take-over: cache and ref get every row of megatest.db, as when Megatest fills
 * a cache.
 */
export async function buildPair(o: BuildOptions): Promise<CachePair> {
  const place = await preparePairDirectory(o, o.directory);
  const base = await copyHandedOver(o, o.base, o.signal);
  if (base === undefined) throw new JobsError("io", `${o.base} no longer exists`);
  const files = await copyParts(o, place, { cache: base.file, ref: base.file }).finally(base.remove);
  o.failpoint("pair-copied");
  await digestInThread(files, o.signal);
  const db = openConnection(files);
  try {
    for (const part of ["cache", "ref"] as const) {
      transact(db, () => {
        dropOwnTables(db, part);
        raiseFenceToken(db, part, o.stepToken);
        closeDatabase(db, part, { token: o.token, movedTo: o.movedTo, closedAt: Date.now() });
      });
    }
  } finally {
    db.close();
  }
  return putPair(o, place, files);
}

/** Drops the lease and migrations, which belong to megatest.db. */
function dropOwnTables(db: ReturnType<typeof openConnection>, part: PairPart): void {
  const names = db
    .prepare<[], string>(
      `SELECT name FROM ${part}.sqlite_schema WHERE type = 'table' AND name LIKE 'mtjobs\\_%' ESCAPE '\\'`,
    )
    .pluck()
    .all();
  for (const name of names) db.exec(`DROP TABLE ${part}.${quoteName(name)}`);
}

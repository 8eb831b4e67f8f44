import { cpSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { openConnection } from "../../../shared/sqlite/connection.ts";
import { raiseFenceToken } from "../../../workers/area-db/fence.ts";
import { transact } from "../../../workers/area-db/transaction.ts";
import { closePart } from "./close-part.ts";

/**
 * Leaves a pair of the area on another host as an earlier migration, token 1, does: with today's content, and
 * closed.
 */
export function leaveClosedPair(
  area: SampleArea,
  there: Pick<SampleArea, "cacheDirectory" | "cacheDb" | "refDb">,
): void {
  mkdirSync(dirname(there.cacheDirectory), { recursive: true });
  cpSync(area.cacheDirectory, there.cacheDirectory, { recursive: true });
  const db = openConnection({ area: area.megatestDb, cache: there.cacheDb, ref: there.refDb });
  transact(db, () => raiseFenceToken(db, "area", 1));
  for (const part of ["cache", "ref"] as const) {
    transact(db, () => raiseFenceToken(db, part, 1));
    closePart(db, part, { token: 1, movedTo: "10.9.0.1", closedAt: Date.now() }, 1);
  }
  db.close();
}

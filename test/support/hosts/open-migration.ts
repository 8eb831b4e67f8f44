import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import type { MigrationState } from "../../../shared/contract/migration-row.ts";
import { openConnection } from "../../../shared/sqlite/connection.ts";
import { raiseFenceToken, takeLease } from "../../../workers/area-db/fence.ts";
import { transact } from "../../../workers/area-db/transaction.ts";
import { advance, beginMigration } from "../../../workers/migrate/state/migration-table.ts";
import { closePart } from "./close-part.ts";

/**
 * Leaves an area as a migration from host-a to host-b that died in `states.at(-1)` does; its lease has ended,
 * unless `held`. The state `closing` is always first.
 */
export function leaveMigration(
  area: SampleArea,
  states: readonly MigrationState[],
  { held = false, kind = "migration" as const as "migration" | "takeover", closed = false } = {},
): number {
  const db = openConnection({ area: area.megatestDb, cache: area.cacheDb });
  try {
    const now = held ? Date.now() : Date.now() - 3_600_000;
    const token = transact(db, () => {
      const taken = takeLease(db, {
        holder: "migration:migrate-1",
        jobId: "migrate-1",
        host: "host-a",
        now,
        seen: 0,
      });
      const homes = { from_home: "host-a", to_home: "10.0.0.2", from_host: "host-a", to_host: "host-b" };
      const row = { job_id: "migrate-1", requested_by: "ann@host-a", kind, source: "cache" as const };
      beginMigration(db, { ...row, ...homes }, taken);
      for (const state of states) advance(db, taken, state);
      db.prepare("UPDATE area.mtjobs_migrations SET begun_at = ?, changed_at = ?").run(now, now);
      return taken;
    });
    transact(db, () => raiseFenceToken(db, "cache", token));
    if (closed) closePart(db, "cache", { token, movedTo: "10.0.0.2", closedAt: now }, token);
    return token;
  } finally {
    db.close();
  }
}

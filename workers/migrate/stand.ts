import type { Area } from "../../shared/area/area.ts";
import type { JobContext } from "../../shared/job-context.ts";
import { openConnection } from "../../shared/sqlite/connection.ts";
import { outwaitBusy } from "../move/transaction.ts";
import type { MigrationStand } from "./duty.ts";
import { readMigrationFiles } from "./migration-files.ts";
import { lastMigration } from "./migration-table.ts";
import { isLeaseAlive, leaseOf } from "./part.ts";

/** How the last migration of an area stands; undefined where there never was one. Changes nothing. */
export async function standOf(area: Area, context: JobContext): Promise<MigrationStand | undefined> {
  return await outwaitBusy(context.signal, () => {
    const db = openConnection({ area: area.megatestDb }, { busyTimeoutMs: 25 });
    try {
      const row = lastMigration(db);
      if (row === undefined) return undefined;
      const leaseAlive = isLeaseAlive(leaseOf(db), row.job_id);
      return { row, files: readMigrationFiles(area, row.token), leaseAlive };
    } finally {
      db.close();
    }
  });
}

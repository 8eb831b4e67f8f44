import type { Area } from "../../shared/area/area.ts";
import type { JobContext } from "../../shared/job-context.ts";
import { openConnection } from "../../shared/sqlite/connection.ts";
import { outwaitBusy } from "../move/transaction.ts";
import { type Duty, dutyOf, type MigrationStand, type Side, sideOf } from "./duty.ts";
import { readMigrationFiles } from "./migration-files.ts";
import { unfinishedMigrations } from "./migration-table.ts";
import { isLeaseAlive, leaseOf } from "./part.ts";

/** How an area's migrations stand that may leave something to do, the oldest first. Changes nothing. */
export async function standsOf(
  area: Area,
  { signal }: Pick<JobContext, "signal">,
): Promise<MigrationStand[]> {
  return await outwaitBusy(signal, () => {
    const db = openConnection({ area: area.megatestDb }, { busyTimeoutMs: 25 });
    try {
      const lease = leaseOf(db);
      return unfinishedMigrations(db).map((row) => ({
        row,
        files: readMigrationFiles(area, row.token),
        leaseAlive: isLeaseAlive(lease, row.job_id),
      }));
    } finally {
      db.close();
    }
  });
}

/** The first thing that they leave for a host to do; where there is none, a migration that the other host has to act on. */
export function firstDuty(
  stands: readonly MigrationStand[],
  host: string,
): { stand: MigrationStand; duty: Duty | undefined; next: string | undefined } | undefined {
  const mine = stands.flatMap((stand) => {
    const side = sideOf(stand.row, host);
    if (side === undefined) return [];
    const other = side === "old" ? "new" : "old";
    const next = dutyOf(stand, other) === undefined ? undefined : otherHost(stand.row, side);
    return [{ stand, duty: dutyOf(stand, side), next }];
  });
  return mine.find(({ duty }) => duty !== undefined) ?? mine.at(-1);
}

const otherHost = ({ from_host, to_host }: MigrationStand["row"], side: Side) =>
  side === "old" ? to_host : from_host;

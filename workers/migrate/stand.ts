import type { Area } from "../../shared/area/area.ts";
import { msSince } from "../../shared/elapsed.ts";
import type { JobContext } from "../../shared/job-context.ts";
import type { MigrationRow } from "../../shared/migration-row.ts";
import type { Connection } from "../../shared/sqlite/connection.ts";
import { openQuietly } from "../move/open-quietly.ts";
import { outwaitBusy } from "../move/transaction.ts";
import { type Duty, dutyOf, type MigrationStand, type Side, sideOf } from "./duty.ts";
import { readMigrationFiles } from "./migration-files.ts";
import { lastMigration, unfinishedMigrations } from "./migration-table.ts";
import { isLeaseAlive, leaseOf } from "./part.ts";

/**
 * How an area's migrations stand that may leave something to do, the oldest first. Changes nothing.
 *
 * @param givenUp id of a job whose migration nobody is at work on, though its lease may not have run out
 */
export async function standsOf(
  area: Area,
  context: Pick<JobContext, "signal">,
  givenUp?: string,
): Promise<MigrationStand[]> {
  return await readArea(area, context, (db) => {
    const lease = leaseOf(db);
    return unfinishedMigrations(db).map((row) => ({
      row,
      files: readMigrationFiles(area, row.token),
      idleMs: msSince(row.changed_at),
      leaseAlive: row.job_id !== givenUp && isLeaseAlive(lease, row.job_id),
    }));
  });
}

/** The newest migration of an area, whatever came of it; undefined where there was none. */
export async function lastMigrationOf(
  area: Area,
  context: Pick<JobContext, "signal">,
): Promise<MigrationRow | undefined> {
  return await readArea(area, context, lastMigration);
}

async function readArea<T>(
  { megatestDb }: Area,
  { signal }: Pick<JobContext, "signal">,
  read: (db: Connection) => T,
): Promise<T> {
  return await outwaitBusy(signal, () => {
    const db = openQuietly({ area: megatestDb });
    try {
      return read(db);
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

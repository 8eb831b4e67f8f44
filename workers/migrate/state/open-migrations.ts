import type { Area } from "../../../shared/area/area.ts";
import type { MigrationRow } from "../../../shared/contract/migration-row.ts";
import type { Connection } from "../../../shared/sqlite/connection.ts";
import { msSince } from "../../../shared/time/elapsed.ts";
import type { JobContext } from "../../area-db/job-context.ts";
import { openReadonly } from "../../area-db/open-readonly.ts";
import { retryWhileBusy } from "../../area-db/transaction.ts";
import { readMigrationFiles } from "./migration-files.ts";
import { isLeaseAlive, leaseOf } from "./migration-session.ts";
import { lastMigration, unfinishedMigrations } from "./migration-table.ts";
import { type NextAction, nextAction, type OpenMigration, type Side, sideOf } from "./next-action.ts";

/**
 * Returns the migrations that may need an action, oldest first.
 *
 * @param givenUp id of a job whose migration is abandoned although its lease may be alive
 */
export async function openMigrations(
  area: Area,
  context: Pick<JobContext, "signal">,
  givenUp?: string,
): Promise<OpenMigration[]> {
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
  return await retryWhileBusy(signal, () => {
    const db = openReadonly({ area: megatestDb });
    try {
      return read(db);
    } finally {
      db.close();
    }
  });
}

/** Returns a host's first next action; without one, a migration whose next action is the other host's. */
export function firstAction(
  migrations: readonly OpenMigration[],
  host: string,
): { migration: OpenMigration; action: NextAction | undefined; next: string | undefined } | undefined {
  const mine = migrations.flatMap((migration) => {
    const side = sideOf(migration.row, host);
    if (side === undefined) return [];
    const other = side === "old" ? "new" : "old";
    const next = nextAction(migration, other) === undefined ? undefined : otherHost(migration.row, side);
    return [{ migration, action: nextAction(migration, side), next }];
  });
  return mine.find(({ action }) => action !== undefined) ?? mine.at(-1);
}

const otherHost = ({ from_host, to_host }: OpenMigration["row"], side: Side) =>
  side === "old" ? to_host : from_host;

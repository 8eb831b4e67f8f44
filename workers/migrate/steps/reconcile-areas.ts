import { type Area, openAllowedArea } from "../../../shared/area/area.ts";
import { listAreas } from "../../../shared/area/list-areas.ts";
import { toJobsError } from "../../../shared/errors.ts";
import type { JobContext } from "../../area-db/job-context.ts";
import { migrationTokens } from "../state/migration-files.ts";
import { firstAction, lastMigrationOf, openMigrations } from "../state/open-migrations.ts";
import { type PreferredArea, preferredArea } from "./preferred-areas.ts";
import { removeOldPairs } from "./remove-old-pairs.ts";

export interface ReconcileAreasPayload {
  /** By the path in their jobs. */
  areas: readonly string[];
  /** Also scan below the roots. */
  everywhere: boolean;
}

export interface ReconcileAreasReport {
  /** Areas in which a migration needs an action of this host. */
  due: string[];
  known: string[];
  /** Open migrations to this host, for which its queue should have a job. */
  coordinated: Coordinated[];
  /** Areas below the roots that prefer this host. */
  preferredAreas: PreferredArea[];
}

export interface Coordinated {
  area: string;
  jobId: string;
  requestedBy: string;
}

/**
 * Reconciles a worker's areas. Opens a database, read-only, only if `.mtjobs/migration/` exists or the config asks
 * for a move. With `everywhere`, also removes pairs closed long ago.
 */
export async function reconcileAreas(
  { areas, everywhere }: ReconcileAreasPayload,
  context: JobContext,
): Promise<ReconcileAreasReport> {
  const report: ReconcileAreasReport = { due: [], known: [], coordinated: [], preferredAreas: [] };
  const all = new Set([...areas, ...(everywhere ? listAreas(context.settings.areas) : [])]);
  for (const path of all) {
    context.signal.throwIfAborted();
    try {
      const area = openAllowedArea(path, context.settings, context.env);
      // Open migrations first.
      await visit(area, path, context, report);
      if (!everywhere) continue;
      await removeOldPairs(area, context);
      await addPreferred(area, context, report);
    } catch (error) {
      context.log(`${path}: ${toJobsError(error).message}`);
    }
  }
  return report;
}

async function addPreferred(area: Area, context: JobContext, report: ReconcileAreasReport): Promise<void> {
  const preferred = await preferredArea(area, () => lastMigrationOf(area, context), context);
  if (preferred !== undefined) report.preferredAreas.push(preferred);
}

async function visit(
  area: Area,
  path: string,
  context: JobContext,
  report: ReconcileAreasReport,
): Promise<void> {
  if (migrationTokens(area).length === 0) return;
  report.known.push(path);
  const { host } = context.settings;
  const migrations = await openMigrations(area, context);
  for (const { row, leaseAlive } of migrations) {
    if (!leaseAlive || row.to_host !== host) continue;
    report.coordinated.push({ area: path, jobId: row.job_id, requestedBy: row.requested_by });
  }
  const first = firstAction(migrations, host);
  if (first?.action !== undefined) report.due.push(path);
}

import { type Area, openAllowedArea } from "../../shared/area/area.ts";
import { listAreas } from "../../shared/area/list-areas.ts";
import { toJobsError } from "../../shared/errors.ts";
import type { JobContext } from "../../shared/job-context.ts";
import { migrationTokens } from "./migration-files.ts";
import { firstDuty, lastMigrationOf, standsOf } from "./stand.ts";
import { sweepClosed } from "./sweep-closed.ts";
import { type Wish, wishFor } from "./wishes.ts";

export interface RoundPayload {
  /** Areas that this worker knows, by the path their jobs name them. */
  areas: readonly string[];
  /** Also look for others below the roots. */
  everywhere: boolean;
}

export interface RoundReport {
  /** Areas in which a migration leaves something for this host to do. */
  due: string[];
  /** Areas that have a migration at all. */
  known: string[];
  /** Migrations that this host's queue should have a job for: their lease lives, and this is the new home. */
  coordinated: Coordinated[];
  /** Areas below the roots that their policy wants on this host. */
  wished: Wish[];
}

export interface Coordinated {
  area: string;
  jobId: string;
  requestedBy: string;
}

/**
 * One round of a host's worker over areas. It opens a database only where `.mtjobs/migration/` tells of a migration or the
 * config wants one, and only to read. Everywhere it also removes this host's own pairs that were closed long ago.
 */
export async function goRound(
  { areas, everywhere }: RoundPayload,
  context: JobContext,
): Promise<RoundReport> {
  const report: RoundReport = { due: [], known: [], coordinated: [], wished: [] };
  const all = new Set([...areas, ...(everywhere ? listAreas(context.settings.areas) : [])]);
  for (const path of all) {
    context.signal.throwIfAborted();
    try {
      const area = openAllowedArea(path, context.settings, context.env);
      // First what a migration under way waits for: no wish and no old pair may keep it from that.
      await visit(area, path, context, report);
      if (!everywhere) continue;
      await sweepClosed(area, context);
      await noteWish(area, context, report);
    } catch (error) {
      // One area that cannot be read must not keep the others waiting.
      context.log(`${path}: ${toJobsError(error).message}`);
    }
  }
  return report;
}

async function noteWish(area: Area, context: JobContext, report: RoundReport): Promise<void> {
  const wish = await wishFor(area, () => lastMigrationOf(area, context), context);
  if (wish !== undefined) report.wished.push(wish);
}

async function visit(area: Area, path: string, context: JobContext, report: RoundReport): Promise<void> {
  if (migrationTokens(area).length === 0) return;
  report.known.push(path);
  const { host } = context.settings;
  const stands = await standsOf(area, context);
  for (const { row, leaseAlive } of stands) {
    if (!leaseAlive || row.to_host !== host) continue;
    report.coordinated.push({ area: path, jobId: row.job_id, requestedBy: row.requested_by });
  }
  const first = firstDuty(stands, host);
  if (first?.duty !== undefined) report.due.push(path);
}

import { statSync } from "node:fs";
import { type Area, openAllowedArea } from "../../../shared/area/area.ts";
import { ensureAreaId, readAreaId } from "../../../shared/area/area-id.ts";
import { assertReadWrite } from "../../../shared/area/cache/assert-read-write.ts";
import { type CachePair, findCache } from "../../../shared/area/cache/cache.ts";
import { clockSkewMs, newestMtimeMs } from "../../../shared/area/cache/mtime.ts";
import { decideHome, reachableAddress, readHomehost } from "../../../shared/area/homehost.ts";
import type { MigratePayload } from "../../../shared/contract/migrate-payload.ts";
import type { MigrateCheck } from "../../../shared/contract/migrate-result.ts";
import type { MigrationRow } from "../../../shared/contract/migration-row.ts";
import { JobsError } from "../../../shared/errors.ts";
import { homeName } from "../../../shared/settings/home-name.ts";
import type { Connection } from "../../../shared/sqlite/connection.ts";
import { msSince } from "../../../shared/time/elapsed.ts";
import { assertMegatestSchemas } from "../../area-db/databases.ts";
import { assertIdRoom } from "../../area-db/fit-area.ts";
import type { JobContext } from "../../area-db/job-context.ts";
import { openReadonly } from "../../area-db/open-readonly.ts";
import { retryWhileBusy } from "../../area-db/transaction.ts";
import { oldHomeActivity, openFileCheck, spaceCheck } from "../checks/in-use.ts";
import { failed, passed } from "../checks/refusal.ts";
import { readClosed } from "../pair/closed.ts";
import { assertHomehostFile } from "../pair/homehost-file.ts";
import { isEmptyPair } from "../pair/pair-files.ts";
import { isLeaseAlive, leaseOf } from "../state/migration-session.ts";
import { lastMigration, migrationOf, openMigration } from "../state/migration-table.ts";

/** What the future home sees before the old one is asked. */
export interface TargetReport {
  /** null in a dry run of an area without an id. */
  areaId: string | null;
  realPath: string;
  /** null if empty. */
  fromHome: string | null;
  toHome: string;
  atHome: boolean;
  /** The row of this job, if it has begun. */
  own: MigrationRow | undefined;
  /** A step is running or may be resumed. */
  leaseAlive: boolean;
  checks: MigrateCheck[];
  /** Last change of megatest.db, ms since 1970: later rows of a lost home are only in its cache. */
  syncedAt: number;
}

/** Minimum time between migrations, ms. */
const restMs = 10 * 60_000;

export async function checkTarget(payload: MigratePayload, context: JobContext): Promise<TargetReport> {
  const { settings, env, signal, jobId } = context;
  const area = openAllowedArea(payload.area, settings, env);
  const homehost = readHomehost(area);
  const { atHome } = await decideHome(homehost, settings);
  const address = await reachableAddress(settings).catch((error: unknown) => error);
  const toHome = typeof address === "string" ? address : settings.host;
  const syncedAt = newestMtimeMs(area.realPath, "megatest.db") ?? 0;
  const base = {
    realPath: area.realPath,
    fromHome: homehost.value ?? null,
    toHome,
    atHome: atHome === true,
    syncedAt,
  };
  return await retryWhileBusy(signal, () => {
    assertIdRoom({ area: area.megatestDb, completed: area.completedDb });
    const db = openReadonly({ area: area.megatestDb });
    try {
      const own = migrationOf(db, jobId);
      const leaseAlive = own !== undefined && isLeaseAlive(leaseOf(db), jobId);
      if (own !== undefined || atHome === true) {
        return { ...base, areaId: readAreaId(area), own, leaseAlive, checks: [] };
      }
      const checks = [
        homehost.pinned
          ? failed("pinned", "[server] homehost in megatest.config pins the area to its host")
          : passed("pinned", "no [server] homehost in megatest.config"),
        targetCheck(address, toHome),
        ...(payload.takeover
          ? [oldHomeActivity(area, Date.now() + (payload.dryRun ? 0 : clockSkewMs(area)))]
          : []),
        ...rowChecks(db, payload),
        ...areaChecks(db, area, context),
      ];
      const fine = checks.every(({ ok }) => ok !== false);
      const areaId = fine && !payload.dryRun ? ensureAreaId(area) : readAreaId(area);
      return { ...base, areaId, own, leaseAlive, checks };
    } finally {
      db.close();
    }
  });
}

function targetCheck(address: unknown, toHome: string): MigrateCheck {
  if (typeof address !== "string")
    return failed("target", address instanceof Error ? address.message : "this host has no address");
  return homeName.test(toHome)
    ? passed("target", `.homehost will hold ${toHome}`)
    : failed("target", `.homehost cannot hold ${JSON.stringify(toHome)}: check MTJOBS_ADDRESS`);
}

function rowChecks(db: Connection, { now, takeover }: MigratePayload): MigrateCheck[] {
  const open = openMigration(db);
  if (open !== undefined && takeover)
    return [
      passed(
        "last-migration",
        `this migration ends migration ${open.token}, abandoned in state ${open.state}`,
      ),
    ];
  if (open !== undefined) {
    const detail = `migration ${open.token} to ${open.to_host} (job ${open.job_id}) is not finished: ${open.state}`;
    return [
      { ...failed("last-migration", detail), facts: { open: true, jobId: open.job_id, state: open.state } },
    ];
  }
  const last = lastMigration(db);
  const ago = last === undefined || last.state === "undone" ? Infinity : msSince(last.changed_at);
  if (ago >= restMs || now) return [passed("last-migration", "no recent migration")];
  const detail = `the area moved ${Math.round(ago / 1000)} s ago; wait at least 10 minutes between migrations`;
  return [failed("last-migration", detail)];
}

function areaChecks(db: Connection, area: Area, { settings }: JobContext): MigrateCheck[] {
  const checks: MigrateCheck[] = [];
  try {
    assertMegatestSchemas(db, { area: area.megatestDb, completed: area.completedDb });
    checks.push(passed("schema", "megatest.db is a Megatest database"));
  } catch (error) {
    checks.push(failed("schema", (error as Error).message));
  }
  try {
    assertHomehostFile(area);
    const pair = findCache(area, settings);
    assertReadWrite(area, pair, settings);
    checks.push(pairCheck(pair, settings.host));
  } catch (error) {
    if (!(error instanceof JobsError)) throw error;
    checks.push(failed("target", error.message));
  }
  checks.push(spaceCheck("space-target", settings.cacheRoot, statSync(area.megatestDb).size * 2));
  return checks;
}

/** Checks this host's pair: a closed one is reused; an open one may hold unique rows. */
function pairCheck(pair: CachePair | undefined, host: string): MigrateCheck {
  if (pair === undefined) return passed("caches", "the new home has no cache of the area yet");
  if (isEmptyPair(pair)) {
    const open = openFileCheck(pair, process.pid, host);
    return open.ok === false
      ? failed("caches", `${open.detail}, although that host is not the home (${pair.directory})`)
      : passed("caches", "the new home's cache is empty and will be created again");
  }
  const db = openReadonly({ cache: pair.megatestDb });
  try {
    return readClosed(db, "cache") === undefined
      ? failed(
          "caches",
          `${host} is not the home but has a cache of the area that is open to writers: ${pair.directory}; end the processes that use it, check that megatest.db has all its rows, then remove it`,
        )
      : passed("caches", "the new home's cache, closed by an earlier migration, will be reused");
  } finally {
    db.close();
  }
}

import type { MigrateResult } from "../../shared/contract/migrate-result.ts";
import { defined } from "../../shared/defined.ts";
import type { ErrorCode } from "../../shared/error-codes.ts";
import { JobsError, toJobsError } from "../../shared/errors.ts";
import type { DrainResult } from "../contract/schedule.ts";
import { checkMigrate, enqueueMigrate, type MigrateOptions } from "../jobs/check-migrate.ts";
import { followJob } from "../jobs/follow.ts";
import type { Session } from "../jobs/session.ts";

export interface DrainHooks {
  /** Aborted: following ends; the jobs continue. */
  signal?: AbortSignal | undefined;
  /** Receives one sentence about the progress. */
  onNote?: ((sentence: string) => void) | undefined;
}

export interface DrainDeps {
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** The requester, if it is not the user of this process. */
  requestedBy?: string | undefined;
  /** False: the migrations are requested, and not followed. */
  follow?: boolean;
}

/** Requests the migration of one area; an error makes it an area that stays. */
export async function askFor(
  session: Session,
  area: string,
  to: string | undefined,
  options: MigrateOptions,
  { cwd, env, requestedBy, onNote }: DrainHooks & DrainDeps,
  { enqueued, stayed }: DrainResult,
): Promise<void> {
  try {
    if (to === undefined)
      throw new JobsError("unfit-host", "no available host has the area below its MTJOBS_AREAS");
    const checked = await checkMigrate(
      area,
      { ...options, to },
      {
        ...{ settings: session.settings, cwd, env },
        requestedBy,
      },
    );
    const { jobId, host } = await enqueueMigrate(session, checked);
    enqueued.push({ area, to: host, jobId });
    onNote?.(`${area}: requested its migration to ${host} (${jobId})`);
  } catch (thrown) {
    const { code, message } = toJobsError(thrown);
    stayed.push({ area, ...defined({ to }), code, message });
    onNote?.(`${area} stays: ${message}`);
  }
}

/**
 * Follows the requested migrations one by one until they end; they run in parallel anyway. If following stops
 * early, the rest stays in `enqueued`.
 */
export async function followAll(session: Session, hooks: DrainHooks, result: DrainResult): Promise<void> {
  const { onNote } = hooks;
  for (let next = result.enqueued[0]; next !== undefined; next = result.enqueued[0]) {
    try {
      const place = { host: next.to, jobId: next.jobId };
      const { error } = await followJob<MigrateResult>(session, place, { signal: hooks.signal });
      if (error !== undefined) throw error;
      result.moved.push(next);
      onNote?.(`${next.area}: ${result.dryRun ? "could move" : "moved"} to ${next.to}`);
    } catch (thrown) {
      const error = toJobsError(thrown);
      if (stopsFollowing.includes(error.code)) {
        result.error = error.toDocument();
        return;
      }
      result.stayed.push({ ...next, code: error.code, message: error.message });
      onNote?.(`${next.area} stays: ${error.message}`);
    }
    result.enqueued.shift();
  }
}

/** Errors that stop following, because all other migrations would get them too. */
const stopsFollowing: readonly ErrorCode[] = ["interrupted", "redis-unreachable", "bad-redis"];

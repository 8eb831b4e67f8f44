import { type ErrorCode, type ErrorDocument, JobsError, toJobsError } from "../shared/errors.ts";
import type { MigrateResult } from "../shared/migrate-result.ts";
import { followJob } from "./follow.ts";
import { checkMigrate, enqueueMigrate, type MigrateOptions } from "./migrate-request.ts";
import type { Session } from "./session.ts";

/** An area on its way, or moved. */
export interface DrainedArea {
  area: string;
  to: string;
  jobId: string;
}

/** An area that stays, and why. */
export interface StayedArea extends Partial<DrainedArea> {
  area: string;
  code: ErrorCode;
  message: string;
}

export interface DrainResult {
  /** The name of its queue. */
  host: string;
  dryRun: boolean;
  /** Whether it takes no new area from now on; false in a dry run. */
  drained: boolean;
  moved: DrainedArea[];
  stayed: StayedArea[];
  /** Asked for, and not followed to the end. */
  enqueued: DrainedArea[];
  warnings: string[];
  /** Why following ended before the migrations did. */
  error?: ErrorDocument;
}

export interface DrainHooks {
  /** Aborted: following ends; the jobs go on. */
  signal?: AbortSignal;
  /** One sentence about how far it is. */
  onNote?: (sentence: string) => void;
}

/** What `drain` needs of its process. */
export interface DrainDeps {
  cwd: string;
  env: NodeJS.ProcessEnv;
}

/** Asks for the migration of one area; what speaks against it becomes an area that stays. */
export async function askFor(
  session: Session,
  area: string,
  to: string | undefined,
  options: MigrateOptions,
  { cwd, env, onNote }: DrainHooks & DrainDeps,
  { enqueued, stayed }: DrainResult,
): Promise<void> {
  try {
    if (to === undefined)
      throw new JobsError("unfit-host", "no host that could take it has the area below its MTJOBS_AREAS");
    const checked = await checkMigrate(area, { ...options, to }, { settings: session.settings, cwd, env });
    const { jobId, host } = await enqueueMigrate(session, checked);
    enqueued.push({ area, to: host, jobId });
    onNote?.(`${area}: asked ${host} to take it (${jobId})`);
  } catch (thrown) {
    const { code, message } = toJobsError(thrown);
    stayed.push({ area, ...(to === undefined ? {} : { to }), code, message });
    onNote?.(`${area} stays: ${message}`);
  }
}

/**
 * Follows what was asked for to its end, one after the other: they go on beside each other in any case. Where nobody may
 * or can follow any more, the rest stays among those enqueued.
 */
export async function followAll(session: Session, hooks: DrainHooks, result: DrainResult): Promise<void> {
  const { onNote } = hooks;
  for (let next = result.enqueued[0]; next !== undefined; next = result.enqueued[0]) {
    try {
      const { error } = await followJob<MigrateResult>(
        session,
        { host: next.to, jobId: next.jobId },
        hooks.signal === undefined ? {} : { signal: hooks.signal },
      );
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

/** What ends following altogether: all the others would fare alike. */
const stopsFollowing: readonly ErrorCode[] = ["interrupted", "redis-unreachable"];

import type { Job } from "bullmq";
import { decodeFailure } from "../../shared/contract/failure.ts";
import type { MigrateResult } from "../../shared/contract/migrate-result.ts";
import type { MoveResult, Progress } from "../../shared/contract/move-result.ts";
import { JobsError } from "../../shared/errors.ts";
import type { JobLocation } from "../../shared/queue/names.ts";
import { startedOn } from "../../shared/queue/started-on.ts";
import type { JobResult, JobSummary, JobView } from "../contract/job.ts";
import type { QueueState } from "../contract/job-states.ts";

function iso(milliseconds: number | undefined): string | null {
  return milliseconds === undefined ? null : new Date(milliseconds).toISOString();
}

/** Returns a member of a job's data if it is a text; any tool may have written the data. */
export function textOf(data: unknown, key: string): string | null {
  const value =
    typeof data === "object" && data !== null ? (data as Record<string, unknown>)[key] : undefined;
  return typeof value === "string" ? value : null;
}

/** Returns where a finished job was forwarded; undefined if it did the work itself. */
export function forwardedTo(returnValue: unknown): JobLocation | undefined {
  if (typeof returnValue !== "object" || returnValue === null || !("forwarded" in returnValue))
    return undefined;
  const { host, jobId } = returnValue.forwarded as Partial<JobLocation>;
  return typeof host === "string" && typeof jobId === "string" ? { host, jobId } : undefined;
}

/** Returns a job's progress without the workers' internal members; null before the first report. */
export function progressOf(job: Job): Progress | null {
  const progress: unknown = job.progress;
  if (typeof progress !== "object" || progress === null || !("phase" in progress)) return null;
  const { phase, runs, rows } = progress as Progress;
  return { phase, runs, rows };
}

/** Converts a BullMQ job and the state of the list that it is in. */
export function viewJob(host: string, job: Job, state: QueueState): JobView {
  const view: JobView = {
    jobId: String(job.id),
    host,
    job: job.name,
    area: textOf(job.data, "area"),
    state,
    requestedBy: textOf(job.data, "requestedBy"),
    addedAt: new Date(job.timestamp).toISOString(),
    startedAt: iso(startedOn(job)),
    finishedAt: iso(job.finishedOn),
    attempts: job.attemptsStarted ?? 0,
    worker: job.processedBy ?? null,
    progress: progressOf(job),
    data: job.data as unknown,
  };
  if (state === "failed") {
    const error = decodeFailure(job.failedReason ?? "").toDocument();
    return { ...view, state: error.code === "cancelled" ? "cancelled" : "failed", error };
  }
  if (state !== "completed") return view;
  const forwarded = forwardedTo(job.returnvalue);
  if (forwarded !== undefined) return { ...view, state: "forwarded", forwarded };
  return { ...view, result: job.returnvalue as JobResult };
}

/** Returns what a list shows of a job. */
export function summarizeJob({ data, result, error, ...view }: JobView): JobSummary {
  const { dryRun } = (typeof data === "object" && data !== null ? data : {}) as Record<string, unknown>;
  const migration = isMigrateResult(result) ? result : undefined;
  // Other tools may have stored something else as the result.
  const movedRuns: unknown =
    migration === undefined ? (result as Partial<MoveResult>)?.moved?.runs : undefined;
  return {
    ...view,
    dryRun: dryRun === true,
    step: textOf(data, "step"),
    movedRuns: typeof movedRuns === "number" ? movedRuns : null,
    outcome: migration?.outcome ?? null,
    warnings: Array.isArray(result?.warnings) ? result.warnings.length : 0,
    ...(error === undefined ? {} : { error: { code: error.code, message: error.message } }),
  };
}

/**
 * Splits the error of a refused or rolled-back migration into its result document, which the error's details carry,
 * and the plain error. Returns undefined for any other failure.
 */
export function failedMigration(error: JobsError): { result: MigrateResult; error: JobsError } | undefined {
  const { result, ...details } = error.details ?? {};
  if (!isMigrateResult(result)) return undefined;
  const bare = new JobsError(error.code, error.message, {
    hint: error.hint,
    details: Object.keys(details).length === 0 ? undefined : details,
    cause: error,
  });
  return { result, error: bare };
}

/** Rejects other data, such as another tool's. */
export function isMigrateResult(result: unknown): result is MigrateResult {
  if (typeof result !== "object" || result === null) return false;
  return "job" in result && result.job === "migrate" && "checks" in result && Array.isArray(result.checks);
}

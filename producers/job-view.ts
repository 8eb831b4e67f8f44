import type { Job } from "bullmq";
import type { ErrorDocument } from "../shared/errors.ts";
import type { JobResult } from "../shared/job-result.ts";
import { decodeFailure } from "../shared/queue/failure.ts";
import type { JobPlace } from "../shared/queue/names.ts";
import type { Progress } from "../shared/result.ts";

/** States BullMQ keeps jobs in, the unfinished first. */
export const queueStates = [
  "active",
  "waiting",
  "prioritized",
  "delayed",
  "waiting-children",
  "failed",
  "completed",
] as const;
export type QueueState = (typeof queueStates)[number];

/**
 * A job's state as shown: BullMQ's, save that a job that somebody cancelled is `cancelled` rather than
 * `failed`, and one handed to the homehost's queue `forwarded` rather than `completed`.
 */
export type JobState = QueueState | "cancelled" | "forwarded";
export const jobStates: readonly JobState[] = [...queueStates, "cancelled", "forwarded"];

/** One job as `jobs`, `job` and the library show it. Times are ISO 8601, null where not reached. */
export interface JobView extends JobPlace {
  job: string;
  area: string | null;
  state: JobState;
  requestedBy: string | null;
  addedAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  /** Attempts begun. */
  attempts: number;
  progress: Progress | null;
  /** The data as it was enqueued. */
  data: unknown;
  result?: JobResult;
  forwarded?: JobPlace;
  error?: ErrorDocument;
}

function iso(milliseconds: number | undefined): string | null {
  return milliseconds === undefined ? null : new Date(milliseconds).toISOString();
}

function textOf(data: unknown, key: string): string | null {
  const value =
    typeof data === "object" && data !== null ? (data as Record<string, unknown>)[key] : undefined;
  return typeof value === "string" ? value : null;
}

/** The job that a finished one was handed on to; undefined where it did the work itself. */
export function forwardedTo(returnValue: unknown): JobPlace | undefined {
  if (typeof returnValue !== "object" || returnValue === null || !("forwarded" in returnValue))
    return undefined;
  const { host, jobId } = returnValue.forwarded as Partial<JobPlace>;
  return typeof host === "string" && typeof jobId === "string" ? { host, jobId } : undefined;
}

/** A job's progress as our workers write it, without what they note for themselves; null before the first report. */
export function progressOf(job: Job): Progress | null {
  const progress: unknown = job.progress;
  if (typeof progress !== "object" || progress === null || !("phase" in progress)) return null;
  const { phase, runs, rows } = progress as Progress;
  return { phase, runs, rows };
}

/** A job as shown, from what BullMQ keeps and the list it was found in. */
export function viewJob(host: string, job: Job, state: QueueState): JobView {
  const view: JobView = {
    jobId: String(job.id),
    host,
    job: job.name,
    area: textOf(job.data, "area"),
    state,
    requestedBy: textOf(job.data, "requestedBy"),
    addedAt: new Date(job.timestamp).toISOString(),
    startedAt: iso(job.processedOn),
    finishedAt: iso(job.finishedOn),
    attempts: job.attemptsStarted ?? 0,
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

/** True while a job waits or runs. */
export function isUnfinished(state: JobState): boolean {
  return !["completed", "failed", "cancelled", "forwarded"].includes(state);
}

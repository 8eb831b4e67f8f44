import type { Job, JobsOptions, Queue } from "bullmq";
import { decodeFailure } from "../../../shared/contract/failure.ts";
import type { MigrateStepPayload } from "../../../shared/contract/migrate-payload.ts";
import type { JobsError } from "../../../shared/errors.ts";
import { requestCancel } from "../../../shared/queue/cancel.ts";
import { openQueue } from "../../../shared/queue/connections.ts";
import { keepCompleted, keepFailed } from "../../../shared/queue/enqueue-options.ts";
import { type JobLocation, stepName } from "../../../shared/queue/names.ts";
import type { RemoteStepReport } from "../../migrate/steps/remote-step.ts";
import type { WorkerContext } from "../worker-context.ts";

/** `gone`: the queue has no such job. */
export type RemoteStepState =
  | { state: "unfinished" }
  | { state: "gone" }
  | { state: "ended"; report: RemoteStepReport }
  | { state: "failed"; error: JobsError };

async function onQueue<T>(host: WorkerContext, name: string, body: (queue: Queue) => Promise<T>): Promise<T> {
  const queue = openQueue(host.redis, host.settings, name);
  try {
    return await body(queue);
  } finally {
    await queue.close();
  }
}

/** Queues a step before the waiting jobs; a known id is not added again. */
export async function addStep(
  host: WorkerContext,
  place: JobLocation,
  payload: MigrateStepPayload,
  more: Pick<JobsOptions, "deduplication"> = {},
): Promise<void> {
  const options: JobsOptions = {
    jobId: place.jobId,
    // No retries: the coordinator asks again.
    attempts: 1,
    lifo: true,
    removeOnComplete: keepCompleted,
    removeOnFail: keepFailed,
    keepLogs: 1000,
    stackTraceLimit: 2,
    ...more,
  };
  await onQueue(host, place.host, (queue) => queue.add(stepName, payload, options));
}

export async function readStep(
  host: WorkerContext,
  { host: name, jobId }: JobLocation,
): Promise<RemoteStepState> {
  return await onQueue(host, name, async (queue) => {
    const state = await queue.getJobState(jobId);
    // After the state, so that an ended job has its result.
    const job = (await queue.getJob(jobId)) as Job<unknown, RemoteStepReport> | undefined;
    if (job === undefined) return { state: "gone" };
    if (state === "completed") return { state: "ended", report: job.returnvalue };
    if (state === "failed") return { state: "failed", error: decodeFailure(job.failedReason ?? "") };
    return { state: "unfinished" };
  });
}

/** Returns false if a worker is running the step. */
export async function removeStep(host: WorkerContext, { host: name, jobId }: JobLocation): Promise<boolean> {
  return await onQueue(host, name, async (queue) => {
    try {
      await (await queue.getJob(jobId))?.remove();
      return true;
    } catch {
      return false;
    }
  });
}

/** Requests cancellation of a step, which is never forwarded, so its own queue suffices. */
export async function cancelStep(host: WorkerContext, place: JobLocation): Promise<void> {
  const { redis, settings } = host;
  await onQueue(host, place.host, (queue) => requestCancel({ redis, settings, queue: () => queue }, place));
}

/** Wakes a waiting job. Never rejects: the job also wakes automatically. */
export async function wakeJob(host: WorkerContext, { host: name, jobId }: JobLocation): Promise<void> {
  try {
    await onQueue(host, name, async (queue) => {
      const job = await queue.getJob(jobId);
      if (job !== undefined && (await job.isDelayed())) await job.promote();
    });
  } catch (error) {
    host.log.debug({ err: error, jobId }, "could not wake the job");
  }
}

import type { Job } from "bullmq";
import { DelayedError } from "bullmq";
import type { MigrateStepPayload } from "../../../shared/contract/migrate-payload.ts";
import { type JobLocation, stepName } from "../../../shared/queue/names.ts";
import { areaIdLockKeys } from "../../locks/lock-keys.ts";
import type { RemoteStepReport } from "../../migrate/steps/remote-step.ts";
import type { JobReporter } from "../job-reporter.ts";
import { locateArea } from "../locate-area.ts";
import { runInThread } from "../run-in-thread.ts";
import type { WorkerContext } from "../worker-context.ts";
import { addStep, wakeJob } from "./step-queue.ts";

/** Maximum time between two steps, ms: the lifetime of the lease. */
export const handOverMs = 60_000;

export interface MigrationJobContext {
  token: string | undefined;
  signal: AbortSignal;
  reporter: JobReporter;
  host: WorkerContext;
  isCancelled?: boolean;
}

export type HandedOver = RemoteStepReport & { lockValue?: string };

/** Runs a step that another host coordinates, or reconciles a migration. */
export async function runStepJob(
  job: Job,
  payload: MigrateStepPayload,
  context: MigrationJobContext,
): Promise<HandedOver> {
  if (payload.step === "close") return await closeUnderLock(job, payload, context);
  const report = await inThread(job, payload, [context.signal, context.host.leaving], context);
  if (payload.step !== "tend") return report;
  return await afterReconcile(job, payload, report, context);
}

function inThread(
  job: Job,
  payload: MigrateStepPayload,
  signals: readonly AbortSignal[],
  { host, reporter }: MigrationJobContext,
): Promise<RemoteStepReport> {
  const data = { name: "migrate-step", payload, jobId: job.id ?? "" } as const;
  return runInThread(data, signals, { reporter, host });
}

async function closeUnderLock(
  job: Job,
  payload: Extract<MigrateStepPayload, { step: "close" }>,
  context: MigrationJobContext,
): Promise<HandedOver> {
  const { host, signal } = context;
  const { settings } = host;
  const { areaId } = await locateArea(payload.area, settings, host.env);
  const owner = {
    host: settings.host,
    pid: process.pid,
    jobId: payload.migration,
    since: new Date().toISOString(),
  };
  const lock = await host.locks.adopt(areaIdLockKeys(settings.prefix, areaId), payload.lockValue, owner);
  let lockValue: string | undefined;
  try {
    const report = await inThread(job, payload, [signal, lock.signal, host.leaving], context);
    lockValue = await lock.handOver(handOverMs);
    return { ...report, lockValue };
  } finally {
    if (lockValue === undefined && !host.abandon.aborted) await lock.release();
  }
}

/** Delays the job, or notifies the next host. */
async function afterReconcile(
  job: Job,
  payload: MigrateStepPayload,
  report: RemoteStepReport,
  { host, token, reporter }: MigrationJobContext,
): Promise<RemoteStepReport> {
  if (!("did" in report)) return report;
  if (report.againMs !== undefined) {
    await reporter.flush();
    await job.moveToDelayed(Date.now() + report.againMs, token);
    throw new DelayedError();
  }
  if (report.next !== undefined) await requestReconcile(host, report.next, payload);
  return report;
}

/** Asks a host to reconcile an area's migrations. */
export async function requestReconcile(
  host: WorkerContext,
  target: string,
  { area, requestedBy }: Pick<MigrateStepPayload, "area" | "requestedBy">,
  givenUp?: string,
): Promise<void> {
  const jobId = `tend-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 10)}`;
  await addStep(host, { host: target, jobId }, { v: 1, area, requestedBy, step: "tend", givenUp });
}

function waiterOf(job: Job): JobLocation | undefined {
  const data = job.data as Partial<{ toHost: string; migration: string }>;
  if (data.toHost !== undefined && data.migration !== undefined)
    return { host: data.toHost, jobId: data.migration };
  return (job.returnvalue as { wake?: JobLocation } | null)?.wake;
}

export async function wakeWaiter(host: WorkerContext, job: Job): Promise<void> {
  const waiter = job.name === stepName ? waiterOf(job) : undefined;
  if (waiter !== undefined) await wakeJob(host, waiter);
}

import { createHash } from "node:crypto";
import type { Job } from "bullmq";
import type { JobPayload } from "../../shared/contract/payload.ts";
import { JobsError } from "../../shared/errors.ts";
import { enqueueOptions } from "../../shared/queue/enqueue-options.ts";
import { listHosts } from "../../shared/queue/hosts.ts";
import { checkRedis } from "../../shared/queue/redis-check.ts";
import type { JobReport, Retried } from "../contract/job.ts";
import { findJob, reportJob, searchJob } from "./find-job.ts";
import { type RequestName, requestNames } from "./request-job.ts";
import type { Session } from "./session.ts";

/** Which of several queues has the job, and who wants it again. */
export interface RetryOptions {
  host?: string | undefined;
  /** `user@host` */
  requestedBy: string;
}

/**
 * Adds the work of a failed job to its queue again, as a new job. A new id, because the history and the rows of a
 * migration know the old one as ended; and the same new id for the same failure, so that it is retried once.
 *
 * @throws {JobsError} `usage` for a job that is not failed, or cannot be retried; `bad-payload`; as `findJob`
 */
export async function retryJob(
  session: Session,
  jobId: string,
  { host: at, requestedBy }: RetryOptions,
): Promise<Retried> {
  const { redis, settings } = session;
  const { host, job } = await findJob(session, jobId, at);
  const report = await reportJob(session, jobId, host);
  assertFailed(report);
  const name = assertRequested(report, job);
  // Imported here because zod is slow to load.
  const { parsePayload } = await import("../../shared/contract/payload.ts");
  const payload = { ...parsePayload(name, job.data), requestedBy };
  assertUnconfirmed(payload);
  await checkRedis(redis, settings.redisUrl);
  const wanted = retryId(report);
  const known = await searchJob(session, wanted);
  if (known !== undefined && (await known.job.isFailed())) throw retriedBefore(jobId, wanted);
  const added =
    known?.job ?? (await session.queue(host).add(name, payload, enqueueOptions(name, payload, wanted)));
  const newId = String(added.id);
  const place = known?.host ?? host;
  const hosts = await listHosts(redis, settings.prefix);
  return {
    jobId: newId,
    job: name,
    area: payload.area,
    host: place,
    duplicate: known !== undefined || newId !== wanted,
    served: hosts.some((record) => record.host === place && record.alive),
    retryOf: jobId,
  };
}

function retryId({ host, jobId, job, finishedAt }: JobReport): string {
  const hash = createHash("sha256").update(JSON.stringify(["retry", host, jobId, finishedAt]));
  return `${job}-${hash.digest("hex").slice(0, 16)}`;
}

function assertFailed({ jobId, state, forwarded }: JobReport): void {
  if (state === "failed") return;
  const hints: Record<string, string> = {
    forwarded: `it continues as ${forwarded?.jobId}: mtjobs job ${forwarded?.jobId}`,
    cancelled: "a user ended it: request the job again",
    completed: "request the job again to do the same for the runs there are now",
  };
  throw new JobsError("usage", `job ${jobId} has not failed: it is ${state}`, {
    hint: hints[state] ?? `it is unfinished: mtjobs job ${jobId} --follow`,
  });
}

/** @returns the job's name @throws {JobsError} `usage` for a job that only its requester can retry */
function assertRequested({ jobId, job: name }: JobReport, { parentKey }: Job): RequestName {
  if (parentKey !== undefined) {
    throw new JobsError("usage", `job ${jobId} belongs to a flow of another program`, {
      hint: "retry it with BullMQ's job.retry(), so that its parent continues to wait for it",
    });
  }
  const known = requestNames.find((each) => each === name);
  if (known !== undefined) return known;
  throw new JobsError("usage", `job ${jobId} is a ${name}, which no user requests`, {
    hint: `only these can be retried: ${requestNames.join(", ")}`,
  });
}

/** A person's confirmation holds for one attempt: later the old home may be on, and other runs may be old enough. */
function assertUnconfirmed(
  payload: JobPayload & { takeover?: boolean; to?: string; export?: unknown; dryRun?: boolean },
): void {
  if (payload.takeover === true) {
    throw new JobsError("usage", "a take-over is not retried: make sure again that the old home is off", {
      hint: `then request it: mtjobs migrate ${payload.area} --to ${payload.to} --takeover`,
    });
  }
  if (payload.export !== false || payload.dryRun === true) return;
  throw new JobsError("usage", "a purge without an export is not retried: it must be confirmed again", {
    hint: `see what it would purge: mtjobs purge ${payload.area} --no-export --dry-run, with its selectors; then request it`,
  });
}

function retriedBefore(jobId: string, again: string): JobsError {
  return new JobsError("usage", `job ${jobId} was retried as ${again}, which has failed or was cancelled`, {
    hint: `show why: mtjobs job ${again}; retry that one: mtjobs retry ${again}`,
    details: { jobId: again },
  });
}

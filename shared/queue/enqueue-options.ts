import { createHash } from "node:crypto";
import type { JobsOptions, KeepJobs } from "bullmq";
import { shownId } from "../run-id.ts";
import type { MigratePayload } from "./migrate-payload.ts";
import type { JobName, JobPayload } from "./payload.ts";

type Name = JobName | "migrate";
type Payload = JobPayload | MigratePayload;

const day = 24 * 60 * 60;

/** Finished jobs are kept this many and this long (age in seconds), per queue. */
export const keepCompleted = { count: 1000, age: 7 * day } as const satisfies KeepJobs;
/** Failed ones longer: somebody may want to know why. */
export const keepFailed = { count: 1000, age: 30 * day } as const satisfies KeepJobs;

/** Members of a job's data that say who asked, not for what. */
const askers = new Set(["requestedBy", "policy", "schedule"]);

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => [key, canonical(member)]),
  );
}

/**
 * Equal for two requests of the same work on the same area, whoever asks. While the first is unfinished BullMQ
 * hands the second caller the first one's job.
 */
export function deduplicationId(name: Name, payload: Payload): string {
  const work = Object.fromEntries(Object.entries(payload).filter(([member]) => !askers.has(member)));
  // A small id may be written either way.
  if ("runId" in payload) work.runId = payload.runId?.map((id) => shownId(BigInt(id)));
  const hash = createHash("sha256").update(JSON.stringify([name, canonical(work)]));
  return `${name}-${hash.digest("hex").slice(0, 32)}`;
}

/** How a job is added: 8 attempts over some five minutes, then it has failed; refusals end it at once. */
export function enqueueOptions(name: Name, payload: Payload, jobId: string): JobsOptions {
  return {
    jobId,
    attempts: 8,
    // Without jitter the workers of many hosts would come back to a busy file server all at once.
    backoff: { type: "exponential", delay: 2000, jitter: 0.5 },
    removeOnComplete: keepCompleted,
    removeOnFail: keepFailed,
    keepLogs: 1000,
    stackTraceLimit: 2,
    deduplication: { id: deduplicationId(name, payload) },
  };
}

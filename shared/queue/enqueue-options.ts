import { createHash } from "node:crypto";
import type { JobsOptions, KeepJobs } from "bullmq";
import type { MigratePayload } from "../contract/migrate-payload.ts";
import type { JobName, JobPayload } from "../contract/payload.ts";
import { shownId } from "../sqlite/run-id.ts";

type Name = JobName | "migrate";
type Payload = JobPayload | MigratePayload;

const day = 24 * 60 * 60;

/** Limits per queue; age in seconds. */
export const keepCompleted = { count: 1000, age: 7 * day } as const satisfies KeepJobs;
/** Failed jobs are kept longer, for diagnosis. */
export const keepFailed = { count: 1000, age: 30 * day } as const satisfies KeepJobs;

/** Members that say who asked, not for what. */
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

/** Returns the same id for the same work on an area, so that BullMQ returns an unfinished job to later callers. */
export function deduplicationId(name: Name, payload: Payload): string {
  const work = Object.fromEntries(Object.entries(payload).filter(([member]) => !askers.has(member)));
  // It may be a number or a string.
  if ("runId" in payload) work.runId = payload.runId?.map((id) => shownId(BigInt(id)));
  const hash = createHash("sha256").update(JSON.stringify([name, canonical(work)]));
  return `${name}-${hash.digest("hex").slice(0, 32)}`;
}

/** Allows 8 attempts over about five minutes; refusals fail immediately. */
export function enqueueOptions(name: Name, payload: Payload, jobId: string): JobsOptions {
  return {
    jobId,
    attempts: 8,
    // Jitter spreads the retries of many hosts.
    backoff: { type: "exponential", delay: 2000, jitter: 0.5 },
    removeOnComplete: keepCompleted,
    removeOnFail: keepFailed,
    keepLogs: 1000,
    stackTraceLimit: 2,
    deduplication: { id: deduplicationId(name, payload) },
  };
}

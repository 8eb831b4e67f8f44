import type { Job } from "bullmq";

/**
 * Returns when a job began, ms since 1970; undefined if it has not. A migration takes many passes, of which BullMQ keeps
 * the last one's beginning; its state has the first one's. Any other job began with its last attempt.
 */
export function startedOn({
  progress,
  processedOn,
}: Pick<Job, "progress" | "processedOn">): number | undefined {
  const { migration } = (progress ?? {}) as { migration?: { startedAt?: unknown } };
  const first = migration?.startedAt;
  return typeof first === "number" ? first : processedOn;
}

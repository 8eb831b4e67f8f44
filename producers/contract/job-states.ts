/** BullMQ's job states, unfinished first. */
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
 * A job's shown state: BullMQ's, but a cancelled job is `cancelled` instead of `failed`, and one forwarded to the
 * homehost's queue is `forwarded` instead of `completed`.
 */
export const jobStates = [...queueStates, "cancelled", "forwarded"] as const;
export type JobState = (typeof jobStates)[number];

export function isUnfinished(state: JobState): boolean {
  return !["completed", "failed", "cancelled", "forwarded"].includes(state);
}

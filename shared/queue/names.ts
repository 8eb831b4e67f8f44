import { randomUUID } from "node:crypto";
import type { JobName } from "./payload.ts";

const queuePrefix = "host.";

/** The queue that the workers of `host` serve; the name is part of the public contract. */
export function queueName(host: string): string {
  return `${queuePrefix}${host}`;
}

/**
 * A fresh job id, `<name>-<16 hex digits>`. BullMQ refuses ids that are integers or hold a colon, and ignores
 * an id that it has seen before: the random part keeps both from happening.
 */
export function newJobId(name: JobName | "migrate" | "repair"): string {
  // Node gathers randomness for many of these at once, which many jobs at once are glad of.
  return `${name}-${randomUUID().replaceAll("-", "").slice(0, 16)}`;
}

/** Where a job is to be found. */
export interface JobPlace {
  host: string;
  jobId: string;
}

/** True for an id as BullMQ gives it to a job that is added without one. */
export function isNumber(jobId: string): boolean {
  return /^\d+$/.test(jobId);
}

/**
 * The key of our own that tells `what` of one job. A number is another job's in every host's queue; any other id
 * stays a job's when it is passed on, and so does its key.
 */
export function jobKey(prefix: string, what: "cancel" | "waits", { host, jobId }: JobPlace): string {
  return redisKey(prefix, what, ...(isNumber(jobId) ? [host] : []), jobId);
}

/** A key of our own beside the queues' keys. The parts must not begin with `host.`, which are the queues. */
export function redisKey(prefix: string, ...parts: string[]): string {
  return [prefix, ...parts].join(":");
}

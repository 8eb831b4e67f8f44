import { randomUUID } from "node:crypto";
import type { JobName } from "../contract/payload.ts";

const queuePrefix = "host.";

/** Name of the jobs by which workers request steps of each other. */
export const stepName = "migrate-step";

/** Returns the queue's name, part of the public contract. */
export function queueName(host: string): string {
  return `${queuePrefix}${host}`;
}

/**
 * Returns `<name>-<16 hex digits>`. BullMQ rejects ids that are integers or contain a colon, and ignores known ids.
 */
export function newJobId(name: JobName | "migrate" | "repair"): string {
  // Node batches its random numbers.
  return `${name}-${randomUUID().replaceAll("-", "").slice(0, 16)}`;
}

export interface JobLocation {
  host: string;
  jobId: string;
}

/** Returns true for an id that BullMQ generated. */
export function isNumber(jobId: string): boolean {
  return /^\d+$/.test(jobId);
}

/**
 * Includes the host for a numeric id, which is unique only within a queue; any other stays the same when the job is
 * forwarded.
 */
export function jobKey(prefix: string, what: "cancel" | "waits", { host, jobId }: JobLocation): string {
  return redisKey(prefix, what, ...(isNumber(jobId) ? [host] : []), jobId);
}

/** Builds an own key. Parts must not begin with `host.`, which is reserved for queues. */
export function redisKey(prefix: string, ...segments: string[]): string {
  return [prefix, ...segments].join(":");
}

/** The return value of a job that continues in another host's queue. */
export interface Forwarded {
  forwarded: JobLocation;
}

export function isForwarded(value: unknown): value is Forwarded {
  return typeof value === "object" && value !== null && "forwarded" in value;
}

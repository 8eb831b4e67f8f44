import { Queue } from "bullmq";
import type { Redis } from "ioredis";
import type { ErrorDocument } from "../error-document.ts";

/** The queue of messages that are to be sent. */
export const webhookQueueName = "webhook";
/** Ten attempts over about 45 minutes. */
export const webhookAttempts = 10;
const firstPauseMs = 5_000;
const day = 24 * 3600;

interface Message {
  /** The same in every attempt. */
  id: string;
  at: string;
  /** Where it happened, or where the doctor ran. */
  host: string;
  area: string | null;
  /** One sentence, for people. */
  text: string;
}

export interface JobMessage extends Message {
  type: "job.failed" | "migration.completed" | "migration.failed";
  jobId: string;
  job: string;
  requestedBy: string | null;
  /** The line of `[reduce-records]`, or the schedule, that asked for the job. */
  origin: { kind: string; name: string } | null;
  /** Null if the job succeeded. */
  error: ErrorDocument | null;
}

export interface DoctorMessage extends Message {
  type: "doctor.findings";
  area: string;
  areaId: string | null;
  /** The checks that found a fault. */
  findings: { name: string; verdict: string; remedy?: string }[];
}

/** What is sent, as JSON. */
export type WebhookMessage = JobMessage | DoctorMessage;

/** Opens the queue for adding. Closing it leaves `redis` open. */
export function openWebhookQueue(redis: Redis, prefix: string): Queue {
  const queue = new Queue(webhookQueueName, { connection: redis, prefix, skipWaitingForReady: true });
  // Calls reject with the same errors; without a listener they would end the process.
  queue.on("error", () => {});
  return queue;
}

/** Adds a message, which a worker will send. Adding it again changes nothing. */
export async function addMessage(queue: Queue, message: WebhookMessage): Promise<void> {
  await queue.add(message.type, message, {
    jobId: message.id,
    attempts: webhookAttempts,
    backoff: { type: "exponential", delay: firstPauseMs },
    removeOnComplete: { age: day },
    removeOnFail: { age: 7 * day, count: 1000 },
  });
}

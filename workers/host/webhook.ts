import { createHmac } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Job, type Queue, Worker } from "bullmq";
import type { Redis } from "ioredis";
import { decodeFailure } from "../../shared/contract/failure.ts";
import { type WaitingConnection, waitingConnection } from "../../shared/queue/connections.ts";
import { isForwarded } from "../../shared/queue/names.ts";
import { originOf } from "../../shared/queue/outcomes.ts";
import {
  addMessage,
  type JobMessage,
  openWebhookQueue,
  type WebhookMessage,
  webhookAttempts,
  webhookQueueName,
} from "../../shared/queue/webhook-queue.ts";
import type { Logger } from "../../shared/settings/log.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import type { JobEnd } from "../jobs/record-outcome.ts";

/** Lifetime of a message's lock without renewal, and interval between checks for messages whose worker died, ms. */
const lockDuration = 10_000;
const stalledInterval = 3_000;
const requestTimeoutMs = 10_000;
/** How long closing may take, ms. */
const closingMs = 1_000;

/** A migration that had nothing to do. */
const isIdle = (result: unknown) =>
  typeof result === "object" && result !== null && "outcome" in result && result.outcome === "already-home";

/** Returns what is to be sent of a job that ended: automatic jobs that failed, and migrations. Undefined for others. */
function messageOf(job: Job, { result, failure, at }: JobEnd, host: string): JobMessage | undefined {
  const { id = "", name, data } = job;
  const { area, requestedBy, dryRun } = (data ?? {}) as Record<string, unknown>;
  const error = failure === undefined ? null : decodeFailure(failure).toDocument();
  const origin = originOf(data);
  const type = typeOf(name, error, origin !== undefined);
  if (type === undefined || dryRun === true || error?.code === "cancelled") return undefined;
  if (isForwarded(result) || isIdle(result)) return undefined;
  const place = typeof area === "string" ? area : null;
  const what = `${name} of ${place ?? "an area"}`;
  return {
    id: `${type}-${id}`,
    type,
    at: new Date(at).toISOString(),
    host,
    jobId: id,
    job: name,
    area: place,
    requestedBy: typeof requestedBy === "string" ? requestedBy : null,
    origin: origin === undefined ? null : { kind: origin.kind, name: origin.name },
    error,
    text: error === null ? `${what} to ${host} is done` : `${what} failed on ${host}: ${error.message}`,
  };
}

function typeOf(name: string, error: unknown, isAutomatic: boolean): JobMessage["type"] | undefined {
  if (name === "migrate") return error === null ? "migration.completed" : "migration.failed";
  return isAutomatic && error !== null ? "job.failed" : undefined;
}

/** Sends messages to one URL. They wait in a queue of their own, so that a retry outlives this process. */
export class Webhook {
  readonly #host: string;
  readonly #log: Logger;
  readonly #queue: Queue;
  readonly #connection: WaitingConnection;
  readonly #worker: Worker;

  constructor(settings: Settings & { webhookUrl: string }, redis: Redis, log: Logger) {
    const { webhookUrl, webhookSecret, host, prefix, redisUrl } = settings;
    this.#host = host;
    this.#log = log;
    this.#queue = openWebhookQueue(redis, prefix);
    this.#connection = waitingConnection(redisUrl);
    this.#worker = new Worker(webhookQueueName, ({ data }) => send(webhookUrl, webhookSecret, data), {
      connection: this.#connection.connection,
      prefix,
      lockDuration,
      stalledInterval,
      // A worker's death is one more reason to try again: as often as after an error.
      maxStalledCount: webhookAttempts - 1,
    });
    this.#worker.on("error", (error) => log.debug({ err: error }, "webhook queue"));
    this.#worker.on("failed", (job, { message }) => {
      // Set once it has failed for good, also if its workers died too often.
      const isLast = typeof job?.finishedOn === "number";
      log[isLast ? "error" : "warn"](
        { message: job?.id },
        `the webhook was not reached (${message}); ${isLast ? "the message is dropped" : "it is tried again"}`,
      );
    });
  }

  /** Adds the message about a job that ended, if there is one; adding it again changes nothing. */
  async note(job: Job, end: JobEnd): Promise<void> {
    try {
      const message = messageOf(job, end, this.#host);
      if (message !== undefined) await addMessage(this.#queue, message);
    } catch (error) {
      this.#log.warn({ err: error, jobId: job.id }, "could not queue the message for the webhook");
    }
  }

  async close(): Promise<void> {
    // A request under way is tried again by the next worker. Without Redis, closing may never end.
    const closed = this.#worker.close(true).catch(() => {});
    await Promise.race([closed, sleep(closingMs, undefined, { ref: false })]);
    await this.#queue.close().catch(() => {});
    this.#connection.close();
  }
}

/** @throws Error, to be retried, without an answer in time or with one that is not 2xx */
async function send(url: string, secret: string | undefined, message: WebhookMessage): Promise<void> {
  const body = JSON.stringify(message);
  const signature =
    secret === undefined
      ? {}
      : { "x-mtjobs-signature": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}` };
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", "x-mtjobs-delivery": message.id, ...signature },
    body,
    redirect: "error",
    signal: AbortSignal.timeout(requestTimeoutMs),
  }).catch((error: Error & { cause?: Error }) => {
    // The message may contain the URL, which may hold a secret.
    throw new Error(
      error.name === "TimeoutError" ? "no answer in time" : (error.cause?.message ?? error.name),
    );
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
}

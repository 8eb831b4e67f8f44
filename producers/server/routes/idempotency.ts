import { createHash } from "node:crypto";
import type { Redis } from "ioredis";
import { ExitCode } from "../../../shared/error-codes.ts";
import { toJobsError } from "../../../shared/errors.ts";
import { redisKey } from "../../../shared/queue/names.ts";
import type { Enqueued } from "../../contract/job.ts";
import type { RequestName } from "../../jobs/request-job.ts";

/** Seconds for which a response is kept. */
const rememberedFor = 24 * 60 * 60;

interface Remembered {
  /** Hash of the request. */
  fingerprint: string;
  /** Missing until the request is answered; also if the server died before. */
  answer?: Enqueued;
}

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

export interface OneRequest {
  key: string;
  job: RequestName;
  /** The whole body as received. */
  body: unknown;
}

/** Deletes a request that has no answer yet. */
const forgetUnanswered = `if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) end`;

/** Returns true if certainly nothing was enqueued: bad input, or a safety rule. */
function isRefusal(error: unknown): boolean {
  const { exitCode } = toJobsError(error);
  return exitCode === ExitCode.usage || exitCode === ExitCode.refused;
}

/**
 * Answers one request once: a repeated `key` gets the first answer, and nothing is enqueued. The job's id is
 * derived from the key, so that repeating an interrupted request does not add a second job. A refused request does
 * not use up the key; it may be changed and repeated. Returns undefined if the key was used for another request.
 */
export async function answerOnce(
  { redis, prefix }: { redis: Redis; prefix: string },
  { key, job, body }: OneRequest,
  enqueue: (jobId: string) => Promise<Enqueued>,
): Promise<{ answer: Enqueued; replayed: boolean } | undefined> {
  const hash = sha256(key);
  const place = redisKey(prefix, "idempotency", hash);
  const fingerprint = sha256(JSON.stringify(body));
  const remember = (what: Remembered) => JSON.stringify(what);
  const first = await redis.set(place, remember({ fingerprint }), "EX", rememberedFor, "NX");
  const before = first === null ? await redis.get(place) : null;
  const known = before === null ? undefined : (JSON.parse(before) as Remembered);
  if (known !== undefined && known.fingerprint !== fingerprint) return undefined;
  if (known?.answer !== undefined) return { answer: known.answer, replayed: true };
  const answer = await enqueue(`${job}-${hash.slice(0, 16)}`).catch(async (error: unknown) => {
    if (isRefusal(error)) await redis.eval(forgetUnanswered, 1, place, remember({ fingerprint }));
    throw error;
  });
  await redis.set(place, remember({ fingerprint, answer }), "EX", rememberedFor);
  return { answer, replayed: known !== undefined };
}

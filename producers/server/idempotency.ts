import { createHash } from "node:crypto";
import type { Redis } from "ioredis";
import { ExitCode, toJobsError } from "../../shared/errors.ts";
import { redisKey } from "../../shared/queue/names.ts";
import type { Enqueued } from "../enqueue.ts";
import type { RequestName } from "../request-job.ts";

/** Seconds for which an answer is given again. */
const rememberedFor = 24 * 60 * 60;

interface Remembered {
  /** Of what was asked. */
  fingerprint: string;
  /** Missing while it is being answered, and where the server died meanwhile. */
  answer?: Enqueued;
}

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** What is asked with one key. */
export interface OneRequest {
  key: string;
  job: RequestName;
  /** All of it, as it came. */
  body: unknown;
}

/** Forgets a request, unless it was answered meanwhile. */
const forgetUnanswered = `if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) end`;

/** True where it is certain that nothing was enqueued: the input was bad, or a safety rule spoke against it. */
function isRefusal(error: unknown): boolean {
  const { exitCode } = toJobsError(error);
  return exitCode === ExitCode.usage || exitCode === ExitCode.refused;
}

/**
 * Answers one request once: with the same `key` again comes the first answer, and nothing is enqueued. The job's id
 * is made from the key, so that a request that was cut off is not doubled by the next. A request that is refused does not
 * use the key up: it may come again, changed.
 * Undefined where the key was used for another request.
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

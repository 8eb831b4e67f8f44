import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { JobSchedulerJson, RepeatOptions } from "bullmq";
import type { Redis } from "ioredis";
import type { JobPayload } from "../../shared/contract/payload.ts";
import type { Drained } from "../../shared/contract/queue-records.ts";
import { defined } from "../../shared/defined.ts";
import { JobsError } from "../../shared/errors.ts";
import { redisKey } from "../../shared/queue/names.ts";

/** A schedule that was taken out of its queue, with all that puts it back. */
export interface PausedSchedule extends Drained {
  name: string;
  host: string;
  job: string;
  repeat: Pick<RepeatOptions, "pattern" | "tz" | "every">;
  /** Its next turn when it was paused, ms since 1970; null if it had none. */
  next: number | null;
  data: JobPayload;
}

const key = (prefix: string) => redisKey(prefix, "paused-schedules");

/** @param by `user@host` */
export function pausedSchedule(host: string, scheduler: JobSchedulerJson, by: string): PausedSchedule {
  const { key: name, name: job, pattern, tz, every, next, template } = scheduler;
  return {
    ...{ name, host, job, at: new Date().toISOString(), by },
    repeat: pattern === undefined ? defined({ every }) : defined({ pattern, tz }),
    next: next ?? null,
    data: (template?.data ?? {}) as JobPayload,
  };
}

export async function writePaused(redis: Redis, prefix: string, schedule: PausedSchedule): Promise<void> {
  await redis.hset(key(prefix), schedule.name, JSON.stringify(schedule));
}

export async function forgetPaused(redis: Redis, prefix: string, name: string): Promise<void> {
  await redis.hdel(key(prefix), name);
}

/** How long a change of a schedule may take, ms; afterwards another one may begin. */
const lockMs = 10_000;
const retryMs = 50;

const releaseLock =
  'if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) end return 0';

/**
 * Runs one change of a schedule at a time: each is in two steps, one in the queue and one in the hash of paused ones.
 *
 * @throws {JobsError} `locked` if another change of the same schedule takes too long; what `change` throws
 */
export async function changing<T>(
  redis: Redis,
  prefix: string,
  name: string,
  change: () => Promise<T>,
): Promise<T> {
  const lock = redisKey(prefix, "changing-schedule", name);
  const token = randomUUID();
  const deadline = performance.now() + lockMs;
  while ((await redis.set(lock, token, "PX", lockMs, "NX")) === null) {
    if (performance.now() > deadline)
      throw new JobsError("locked", `the schedule ${name} is being changed by another program`, {
        hint: "try again",
      });
    await sleep(retryMs);
  }
  try {
    return await change();
  } finally {
    await redis.eval(releaseLock, 1, lock, token);
  }
}

/** Returns all records. One whose schedule is in its queue does not count: a pause or a resume was interrupted. */
export async function listPaused(redis: Redis, prefix: string): Promise<PausedSchedule[]> {
  return Object.values(await redis.hgetall(key(prefix))).map((text) => JSON.parse(text) as PausedSchedule);
}

/**
 * Returns how BullMQ has to repeat it from `now` on. An interval keeps its times: BullMQ would begin one at once.
 */
export function repeatFrom({ repeat, next }: PausedSchedule, now: number): RepeatOptions {
  const { every } = repeat;
  if (every === undefined || next === null) return repeat;
  const missed = Math.max(0, Math.ceil((now - next) / every));
  return { every, startDate: next + missed * every };
}

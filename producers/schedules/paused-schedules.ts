import type { JobSchedulerJson, JobSchedulerTemplateOptions, RepeatOptions } from "bullmq";
import type { Redis } from "ioredis";
import type { JobPayload } from "../../shared/contract/payload.ts";
import type { Paused } from "../../shared/contract/queue-records.ts";
import { defined } from "../../shared/defined.ts";
import { redisKey } from "../../shared/queue/names.ts";

/** A schedule that was taken out of its queue, with all that puts it back. */
export interface PausedSchedule extends Paused {
  name: string;
  host: string;
  job: string;
  /** Also what a program that added it by BullMQ's own means has asked for. */
  repeat: Pick<RepeatOptions, "pattern" | "tz" | "every" | "startDate" | "endDate">;
  /** Its next turn when it was paused, ms since 1970; null if it had none. */
  next: number | null;
  data: JobPayload;
  /** Options of its jobs. */
  options: JobSchedulerTemplateOptions;
}

const key = (prefix: string) => redisKey(prefix, "paused-schedules");

/** @param by `user@host` */
export function pausedSchedule(host: string, scheduler: JobSchedulerJson, by: string): PausedSchedule {
  const { key: name, name: job, pattern, tz, every, startDate, endDate, next, template } = scheduler;
  return {
    ...{ name, host, job, at: new Date().toISOString(), by },
    repeat:
      pattern === undefined ? defined({ every, endDate }) : defined({ pattern, tz, startDate, endDate }),
    next: next ?? null,
    data: (template?.data ?? {}) as JobPayload,
    options: template?.opts ?? {},
  };
}

export async function writePaused(redis: Redis, prefix: string, schedule: PausedSchedule): Promise<void> {
  await redis.hset(key(prefix), schedule.name, JSON.stringify(schedule));
}

export async function forgetPaused(redis: Redis, prefix: string, name: string): Promise<void> {
  await redis.hdel(key(prefix), name);
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
  return { ...repeat, startDate: next + missed * every };
}

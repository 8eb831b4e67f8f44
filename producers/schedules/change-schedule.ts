import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { JobsError } from "../../shared/errors.ts";
import { deleteIfEqual } from "../../shared/queue/delete-if-equal.ts";
import { redisKey } from "../../shared/queue/names.ts";
import type { Session } from "../jobs/session.ts";

/** How long a change of a schedule may take, ms; afterwards another one may begin. */
const lockMs = 10_000;
const retryMs = 50;

/**
 * Runs one change of a schedule at a time: each has two steps, one in the queue and one in the hash of paused ones.
 *
 * @throws {JobsError} `locked` if another change of the same schedule takes too long; what `change` throws
 */
export async function changeSchedule<T>(
  { redis, settings }: Session,
  name: string,
  change: () => Promise<T>,
): Promise<T> {
  const lock = redisKey(settings.prefix, "changing-schedule", name);
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
    // If Redis is away now, the lock expires.
    await deleteIfEqual(redis, lock, token).catch(() => {});
  }
}

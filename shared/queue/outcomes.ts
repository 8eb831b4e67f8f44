import type { Redis } from "ioredis";
import type { Origin, Outcome } from "../contract/queue-records.ts";
import { redisKey } from "./names.ts";

export type Ended = Origin &
  Pick<Outcome, "host" | "jobId" | "work" | "startedAt" | "endedAt" | "error" | "timeUp">;

/** Older outcomes are dropped, ms: areas may be deleted without notice. */
const rememberedMs = 60 * 24 * 3_600_000;

const outcomesKey = (prefix: string) => redisKey(prefix, "outcomes");

/** Includes the area for policies; schedule names are global. */
const fieldOf = ({ kind, name, area }: Origin) =>
  JSON.stringify([kind, name, ...(kind === "policy" ? [area] : [])]);

/** Records an outcome, for `status` and the next due time. */
export async function writeOutcome(redis: Redis, prefix: string, ended: Ended): Promise<void> {
  const key = outcomesKey(prefix);
  const last = await readOutcome(redis, prefix, ended);
  const { error, endedAt, jobId } = ended;
  // One job counts once, however often its end is recorded.
  const known = last?.jobId === jobId ? failuresOf(last) : 0;
  const failures = (last?.failures ?? 0) - known + failuresOf(ended);
  const outcome: Outcome = {
    ...ended,
    failures: error === null ? 0 : failures,
    succeededAt: error === null ? endedAt : (last?.succeededAt ?? null),
  };
  await redis.hset(key, fieldOf(ended), JSON.stringify(outcome));
}

/** A cancelled job counts neither as a success nor as a failure. */
const failuresOf = ({ error }: Pick<Outcome, "error">) =>
  error === null || error.code === "cancelled" ? 0 : 1;

/** How the jobs of one origin went; undefined if it had none. */
export async function readOutcome(
  redis: Redis,
  prefix: string,
  origin: Origin,
): Promise<Outcome | undefined> {
  const text = await redis.hget(outcomesKey(prefix), fieldOf(origin));
  return text === null ? undefined : (JSON.parse(text) as Outcome);
}

/** How the jobs of every origin went, by name. */
export async function listOutcomes(redis: Redis, prefix: string): Promise<Outcome[]> {
  return Object.values(await redis.hgetall(outcomesKey(prefix)))
    .map((text) => JSON.parse(text) as Outcome)
    .filter(({ endedAt }) => Date.parse(endedAt) > Date.now() - rememberedMs)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

export async function forgetOutcome(redis: Redis, prefix: string, origin: Origin): Promise<void> {
  await redis.hdel(outcomesKey(prefix), fieldOf(origin));
}

/** Returns undefined if a person or program requested the job. */
export function originOf(data: unknown): Origin | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const { policy, schedule, area } = data as Record<string, unknown>;
  if (typeof area !== "string") return undefined;
  if (typeof policy === "string") return { kind: "policy", name: policy, area };
  return typeof schedule === "string" ? { kind: "schedule", name: schedule, area } : undefined;
}

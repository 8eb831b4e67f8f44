import type { Redis } from "ioredis";
import type { ErrorDocument } from "../errors.ts";
import type { TimeUp } from "../result.ts";
import { redisKey } from "./names.ts";

/** What asks for jobs by itself: a line of an area's `[reduce-records]`, or a schedule. */
export interface Origin {
  kind: "policy" | "schedule";
  name: string;
  area: string;
}

/** How the last jobs of one origin ended. */
export interface Outcome extends Origin {
  host: string;
  jobId: string;
  /** What it was asked for, as `deduplicationId` has it. */
  work: string;
  /** When that job was begun and when it ended, ISO 8601. */
  startedAt: string;
  endedAt: string;
  /** When one last succeeded, ISO 8601; null where none is known to. */
  succeededAt: string | null;
  /** Jobs in a row that failed for good; a cancelled one counts neither way. */
  failures: number;
  /** Why the last one failed. */
  error: ErrorDocument | null;
  /** Why the last one left runs to the next. */
  timeUp: TimeUp["by"] | null;
}

/** The end of one job. */
export type Ended = Origin &
  Pick<Outcome, "host" | "jobId" | "work" | "startedAt" | "endedAt" | "error" | "timeUp">;

/** An origin that had no job for so long is gone, ms: areas are deleted without a word to us. */
const rememberedMs = 60 * 24 * 3_600_000;

const outcomesKey = (prefix: string) => redisKey(prefix, "outcomes");

/** Schedules have names of their own, policies those within their area. */
const fieldOf = ({ kind, name, area }: Origin) =>
  JSON.stringify([kind, name, ...(kind === "policy" ? [area] : [])]);

/** Says how a job ended, for `status` and for when the next is due. */
export async function noteOutcome(redis: Redis, prefix: string, ended: Ended): Promise<void> {
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

/** Forgets an origin that asks for nothing any more. */
export async function forgetOutcome(redis: Redis, prefix: string, origin: Origin): Promise<void> {
  await redis.hdel(outcomesKey(prefix), fieldOf(origin));
}

/** Who asked for a job, by its data; undefined where it was nobody but a person or a program. */
export function originOf(data: unknown): Origin | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const { policy, schedule, area } = data as Record<string, unknown>;
  if (typeof area !== "string") return undefined;
  if (typeof policy === "string") return { kind: "policy", name: policy, area };
  return typeof schedule === "string" ? { kind: "schedule", name: schedule, area } : undefined;
}

import type { Redis } from "ioredis";
import { decodeFailure } from "../../shared/contract/failure.ts";
import { isForwarded, stepName } from "../../shared/queue/names.ts";
import type { HostHours } from "../contract/totals.ts";
import { knownHosts } from "../jobs/list-jobs.ts";
import type { Session } from "../jobs/session.ts";

const hoursShown = 24;
const hour = 3_600_000;
/** As many as a queue keeps of each; a longer list would be another program's. */
const mostJobs = 1000;
/** Bytes of a return value that says where a job went; a result has more. */
const longestForwarded = 500;
/** Bytes of a payload; longer data are another tool's. */
const longestPayload = 100_000;

export interface JobHours {
  /** Beginning of the first hour, ms since 1970. */
  from: number;
  hosts: HostHours[];
  /** False if a queue may have dropped jobs of that time. */
  complete: boolean;
}

/** Undefined for a job that does not count. */
type Kind = "completed" | "failed" | "cancelled" | undefined;

/** The jobs that ended in the last 24 hours. Each is read once, as an ended job does not change. */
export class EndedJobs {
  readonly #session: Session;
  /** By queue, id and end: a job that is retried ends again. */
  #kinds = new Map<string, Kind>();

  constructor(session: Session) {
    this.#session = session;
  }

  /**
   * Counts them by hour and host, without steps of migrations, forwarded jobs and dry runs that failed. The last hour
   * is not over.
   */
  async perHour(now = Date.now()): Promise<JobHours> {
    const from = Math.floor(now / hour) * hour - (hoursShown - 1) * hour;
    const kinds = new Map<string, Kind>();
    const hosts = await knownHosts(this.#session);
    const counted = await Promise.all(hosts.map((host) => this.#ofHost(host, from, kinds)));
    this.#kinds = kinds;
    return {
      from,
      hosts: counted.map(({ hours }) => hours),
      complete: counted.every(({ complete }) => complete),
    };
  }

  async #ofHost(
    host: string,
    from: number,
    kinds: Map<string, Kind>,
  ): Promise<{ hours: HostHours; complete: boolean }> {
    const none = () => Array.from({ length: hoursShown }, () => 0);
    const hours = { host, completed: none(), failed: none(), cancelled: none() };
    const queue = this.#session.queue(host);
    let complete = true;
    for (const list of ["completed", "failed"] as const) {
      const ended = await endedIn(this.#session, queue.toKey(list), from);
      complete &&= ended.length < mostJobs;
      await Promise.all(
        ended.map(async ({ id, at }) => {
          const job = queue.toKey(id);
          const key = `${job} ${at}`;
          const kind = this.#kinds.has(key) ? this.#kinds.get(key) : await kindOf(this.#session, job, list);
          kinds.set(key, kind);
          const index = Math.min(hoursShown - 1, Math.floor((at - from) / hour));
          if (kind !== undefined) hours[kind][index] = (hours[kind][index] ?? 0) + 1;
        }),
      );
    }
    return { hours, complete };
  }
}

interface Ended {
  id: string;
  /** ms since 1970. */
  at: number;
}

async function endedIn({ redis }: Session, list: string, from: number): Promise<Ended[]> {
  const range = ["+inf", String(from), "WITHSCORES", "LIMIT", 0, mostJobs] as const;
  const pairs = await redis.zrevrangebyscore(list, ...range);
  return Array.from({ length: pairs.length / 2 }, (_, index) => ({
    id: pairs[2 * index] ?? "",
    at: Number(pairs[2 * index + 1]),
  }));
}

async function kindOf({ redis }: Session, job: string, list: "completed" | "failed"): Promise<Kind> {
  if ((await redis.hget(job, "name")) === stepName) return undefined;
  if (list === "completed") {
    const value = await memberOf(redis, job, "returnvalue", longestForwarded);
    return isForwarded(value) ? undefined : "completed";
  }
  const { code } = decodeFailure((await redis.hget(job, "failedReason")) ?? "");
  if (code === "cancelled") return "cancelled";
  const { dryRun } = ((await memberOf(redis, job, "data", longestPayload)) ?? {}) as { dryRun?: unknown };
  return dryRun === true ? undefined : "failed";
}

/** Reads JSON of a job; null if it is longer, or not JSON. */
async function memberOf(redis: Redis, job: string, name: string, longest: number): Promise<unknown> {
  if ((await redis.hstrlen(job, name)) > longest) return null;
  return parsed(await redis.hget(job, name));
}

function parsed(text: string | null): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null; // another tool's job
  }
}

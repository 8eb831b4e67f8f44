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

export interface JobHours {
  /** Beginning of the first hour, ms since 1970. */
  from: number;
  hosts: HostHours[];
  /** False if a queue may have dropped jobs of that time. */
  complete: boolean;
}

/**
 * Counts the jobs that ended in each of the last 24 hours, by host, without steps of migrations and forwarded jobs. The
 * last hour is not over.
 */
export async function jobHours(session: Session, now = Date.now()): Promise<JobHours> {
  const from = Math.floor(now / hour) * hour - (hoursShown - 1) * hour;
  const counted = await Promise.all(
    (await knownHosts(session)).map((host) => hostHours(session, host, from)),
  );
  return {
    from,
    hosts: counted.map(({ hours }) => hours),
    complete: counted.every(({ complete }) => complete),
  };
}

async function hostHours(
  session: Session,
  host: string,
  from: number,
): Promise<{ hours: HostHours; complete: boolean }> {
  const none = () => Array.from({ length: hoursShown }, () => 0);
  const hours = { host, completed: none(), failed: none(), cancelled: none() };
  const [completed, failed] = await Promise.all([
    endedIn(session, host, "completed", from),
    endedIn(session, host, "failed", from),
  ]);
  for (const { at, kind } of [...completed, ...failed]) {
    const index = Math.min(hoursShown - 1, Math.floor((at - from) / hour));
    if (kind !== undefined) hours[kind][index] = (hours[kind][index] ?? 0) + 1;
  }
  return { hours, complete: completed.length < mostJobs && failed.length < mostJobs };
}

interface Ended {
  at: number;
  /** Undefined for a job that does not count. */
  kind: "completed" | "failed" | "cancelled" | undefined;
}

/** Reads few members of each job: its data and its result may be long. */
async function endedIn(
  session: Session,
  host: string,
  list: "completed" | "failed",
  from: number,
): Promise<Ended[]> {
  const { redis } = session;
  const queue = session.queue(host);
  const key = (id: string) => queue.toKey(id);
  const pairs = await redis.zrevrangebyscore(
    key(list),
    "+inf",
    String(from),
    "WITHSCORES",
    "LIMIT",
    0,
    mostJobs,
  );
  const jobs = Array.from({ length: pairs.length / 2 }, (_, index) => ({
    id: pairs[2 * index] ?? "",
    at: Number(pairs[2 * index + 1]),
  }));
  return await Promise.all(
    jobs.map(async ({ id, at }) => {
      if ((await redis.hget(key(id), "name")) === stepName) return { at, kind: undefined };
      if (list === "completed") {
        const isShort = (await redis.hstrlen(key(id), "returnvalue")) <= longestForwarded;
        const value = isShort ? await redis.hget(key(id), "returnvalue") : null;
        return { at, kind: isForwarded(parsed(value)) ? undefined : "completed" };
      }
      const { code } = decodeFailure((await redis.hget(key(id), "failedReason")) ?? "");
      return { at, kind: code === "cancelled" ? "cancelled" : "failed" };
    }),
  );
}

function parsed(text: string | null): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null; // another tool's job
  }
}

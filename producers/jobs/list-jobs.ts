import type { Job } from "bullmq";
import { JobsError } from "../../shared/errors.ts";
import { listHosts } from "../../shared/queue/hosts.ts";
import { queueName, redisKey } from "../../shared/queue/names.ts";
import type { JobView } from "../contract/job.ts";
import { type JobState, jobStates, type QueueState, queueStates } from "../contract/job-states.ts";
import { viewJob } from "./job-view.ts";
import type { Session } from "./session.ts";

export interface JobFilter {
  /** One host's queue; undefined: all. */
  host?: string | undefined;
  /** Only jobs in these states; undefined: all. */
  states?: readonly JobState[] | undefined;
  /** The maximum number of jobs, newest first; undefined: 500 of each state and queue. */
  limit?: number | undefined;
}

/** Maximum number of jobs read per state and queue. */
const perState = 500;

/** Parses a comma-separated list of states. @throws {JobsError} `usage` */
export function parseStates(text: string): JobState[] {
  const states = text.split(",").map((state) => state.trim());
  const wrong = states.find((state) => !(jobStates as readonly string[]).includes(state));
  if (wrong !== undefined) {
    throw new JobsError("usage", `"${wrong}" is not a job state`, {
      hint: `states: ${jobStates.join(", ")}`,
    });
  }
  return states as JobState[];
}

function listOf(state: JobState): QueueState {
  if (state === "cancelled") return "failed";
  return state === "forwarded" ? "completed" : state;
}

/** Returns jobs of all queues, newest first. */
export async function listJobs(session: Session, filter: JobFilter = {}): Promise<JobView[]> {
  const { host, states, limit } = filter;
  // A queue opened for an unknown host would stay open as long as the session.
  const hosts = (await knownHosts(session)).filter((name) => host === undefined || name === host);
  const lists = [...new Set(states?.map(listOf) ?? queueStates)];
  // In a list that holds jobs of two states, the newest may all have the other one.
  const depth = states === undefined ? Math.min(limit ?? perState, perState) : perState;
  const views = await Promise.all(
    hosts.flatMap((name) =>
      lists.map(async (state) => {
        const jobs = (await session.queue(name).getJobs([state], 0, depth - 1)) as (Job | undefined)[];
        return jobs.filter((job) => job !== undefined).map((job) => viewJob(name, job, state));
      }),
    ),
  );
  return [...withoutRepeats(views.flat())]
    .filter((view) => states === undefined || states.includes(view.state))
    .sort((a, b) => (a.addedAt < b.addedAt ? 1 : a.addedAt > b.addedAt ? -1 : 0))
    .slice(0, limit);
}

/** Each job once: one that changes its list while the lists are read is found in both. If it has ended, that is shown. */
function withoutRepeats(views: readonly JobView[]): Iterable<JobView> {
  const unique = new Map<string, JobView>();
  for (const view of views) {
    const key = JSON.stringify([view.host, view.jobId]);
    const known = unique.get(key);
    if (known === undefined || (known.finishedAt === null && view.finishedAt !== null)) unique.set(key, view);
  }
  return unique.values();
}

/**
 * Returns every host with a queue, sorted: those that ever had a worker, and those that only have jobs (tools in other
 * languages may add to a queue that no worker has served yet). This process's host need not be one of them: it may
 * only serve HTTP, or only request jobs.
 */
export async function knownHosts({ redis, settings: { prefix } }: Session): Promise<string[]> {
  const hosts = new Set((await listHosts(redis, prefix)).map((record) => record.host));
  const stem = redisKey(prefix, queueName(""));
  const counter = ":id";
  let cursor = "0";
  do {
    const [next, keys] = await redis.scan(cursor, "MATCH", `${escapeGlob(stem)}*${counter}`, "COUNT", 1000);
    for (const key of keys) hosts.add(key.slice(stem.length, -counter.length));
    cursor = next;
  } while (cursor !== "0");
  return [...hosts].sort();
}

function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]]/g, "\\$&");
}

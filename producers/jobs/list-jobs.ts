import type { Job } from "bullmq";
import { JobsError } from "../../shared/errors.ts";
import { listHosts } from "../../shared/queue/hosts.ts";
import { queueName, redisKey, stepName } from "../../shared/queue/names.ts";
import type { JobView } from "../contract/job.ts";
import { type JobState, jobStates, type QueueState, queueStates } from "../contract/job-states.ts";
import { textOf, viewJob } from "./job-view.ts";
import type { Session } from "./session.ts";

export interface JobFilter {
  /** One host's queue; undefined: all. */
  host?: string | undefined;
  /** Only jobs in these states; undefined: all. */
  states?: readonly JobState[] | undefined;
  /** Only jobs on the area with this path, as it was requested. */
  area?: string | undefined;
  /** Only this kind, such as `reduce`. */
  job?: string | undefined;
  /** Only jobs whose requester's name contains this text. */
  by?: string | undefined;
  /** Only jobs whose id or area's path contains this text. */
  text?: string | undefined;
  /** Only steps of the migration with this job id. */
  migration?: string | undefined;
  /** Also the steps that workers request of each other. */
  all?: boolean | undefined;
  /** The maximum number of jobs, newest first; undefined: 500 of each state and queue. */
  limit?: number | undefined;
}

/** Number of jobs read at a time per state and queue, and without a limit the maximum returned of each. */
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
  const views = await Promise.all(
    hosts.flatMap((name) => lists.map((state) => readList(session, name, state, filter))),
  );
  return [...withoutRepeats(views.flat())]
    .sort((a, b) => (a.addedAt < b.addedAt ? 1 : a.addedAt > b.addedAt ? -1 : 0))
    .slice(0, limit);
}

/** Reads a queue's list from its newest job on, until it has enough jobs that pass the filter. */
async function readList(
  session: Session,
  host: string,
  state: QueueState,
  filter: JobFilter,
): Promise<JobView[]> {
  const { limit = perState } = filter;
  const views: JobView[] = [];
  for (let from = 0; views.length < limit; from += perState) {
    const jobs = (await session.queue(host).getJobs([state], from, from + perState - 1)) as (
      | Job
      | undefined
    )[];
    const present = jobs.filter((job) => job !== undefined).map((job) => viewJob(host, job, state));
    views.push(...present.filter((view) => passes(view, filter)));
    if (jobs.length < perState) break;
  }
  return views;
}

function passes(view: JobView, filter: JobFilter): boolean {
  const { states, area, all, job, by, text, migration } = filter;
  const wantsSteps = all === true || job === stepName || migration !== undefined;
  if (view.job === stepName && !wantsSteps) return false;
  if (area !== undefined && view.area !== area) return false;
  if (job !== undefined && view.job !== job) return false;
  if (migration !== undefined && textOf(view.data, "migration") !== migration) return false;
  if (by !== undefined && !contains(view.requestedBy, by)) return false;
  if (text !== undefined && !contains(view.area, text) && !contains(view.jobId, text)) return false;
  return states === undefined || states.includes(view.state);
}

function contains(whole: string | null, part: string): boolean {
  return whole?.toLowerCase().includes(part.toLowerCase()) === true;
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

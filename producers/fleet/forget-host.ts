import type { Queue } from "bullmq";
import type { Redis } from "ioredis";
import { JobsError } from "../../shared/errors.ts";
import { listDrained, listHosts, removeHost } from "../../shared/queue/hosts.ts";
import { knownHosts } from "../jobs/list-jobs.ts";
import type { Session } from "../jobs/session.ts";
import { listPaused } from "../schedules/paused-schedules.ts";

const unfinished = ["waiting", "active", "delayed", "prioritized", "waiting-children"] as const;

export interface Forgotten {
  host: string;
  /** In words: the record, the mark as drained, the queue. */
  removed: string[];
  /** Unfinished jobs by state. If there are any, the queue stays. */
  left: Record<string, number>;
}

/**
 * Removes what Redis holds of a host that is gone. Jobs that wait there, and their queue, stay.
 *
 * @throws {JobsError} `usage` if there is no such host, `still-alive` if its worker is
 */
export async function forgetHost(session: Session, host: string): Promise<Forgotten> {
  const { redis, settings } = session;
  const [hosts, drained, queues] = [
    await listHosts(redis, settings.prefix),
    await listDrained(redis, settings.prefix),
    await knownHosts(session),
  ];
  const record = hosts.find((each) => each.host === host);
  const paused = (await listPaused(redis, settings.prefix)).filter((schedule) => schedule.host === host);
  if (record === undefined && !drained.has(host) && !queues.includes(host) && paused.length === 0) {
    const names = [...new Set([...hosts.map((each) => each.host), ...drained.keys(), ...queues])].sort();
    throw new JobsError("usage", `Redis holds nothing of a host ${host}`, {
      hint: names.length === 0 ? "there is no host" : `the hosts are ${names.join(", ")}`,
    });
  }
  if (record?.alive === true) {
    throw new JobsError("still-alive", `the worker of ${host} is alive (process ${record.pid})`, {
      hint: "stop it first; mtjobs drain keeps a host from getting areas",
      details: { host, pid: record.pid },
    });
  }
  const was = await removeHost(redis, settings.prefix, host);
  const removed = [...(was.record ? ["its record"] : []), ...(was.drained ? ["its mark as drained"] : [])];
  if (paused.length > 0) {
    const counts = queues.includes(host) ? await countsOf(session.queue(host)) : {};
    return { host, removed, left: { ...counts, schedules: (counts.schedules ?? 0) + paused.length } };
  }
  if (!queues.includes(host)) return { host, removed, left: {} };
  const left = await removeQueue(redis, session.queue(host));
  return { host, removed: Object.keys(left).length > 0 ? removed : [...removed, "its queue"], left };
}

/** A job may be added and end between two steps; one that comes again and again has a worker. */
const mostTries = 10;

/**
 * Removes a queue without unfinished jobs; otherwise returns what is in it. BullMQ's `obliterate` removes waiting jobs
 * too, also one that was added after they were counted.
 */
async function removeQueue(redis: Redis, queue: Queue): Promise<Record<string, number>> {
  for (let tries = 0; tries < mostTries; tries++) {
    const left = await countsOf(queue);
    if (Object.keys(left).length > 0) return left;
    // Removes what has ended and nothing else, also if the host's clock was ahead.
    for (const state of ["completed", "failed"] as const)
      await queue.clean(Number.MIN_SAFE_INTEGER, 0, state);
    const keys = [...jobLists, ...otherKeys].map((key) => queue.toKey(key));
    if ((await redis.eval(deleteIfEmpty, keys.length, ...keys, jobLists.length)) === 1) return {};
  }
  throw new JobsError("still-alive", `jobs of ${queue.name} end while it is being removed`, {
    hint: "find out who serves it: mtjobs status, and Redis's CLIENT LIST",
  });
}

/** BullMQ's keys of jobs and schedules, and the rest of a queue, as its own script for `obliterate` has them. */
const jobLists = "active wait paused delayed prioritized waiting-children completed failed repeat".split(" ");
const otherKeys = [
  ..."meta id events marker pc delay stalled stalled-check".split(" "),
  ..."metrics:completed metrics:completed:data metrics:failed metrics:failed:data".split(" "),
];

/** In one step: a job that is added meanwhile comes before or after. */
const deleteIfEmpty = `
for index = 1, ARGV[1] do
  if redis.call("exists", KEYS[index]) == 1 then return 0 end
end
for index = ARGV[1] + 1, #KEYS do redis.call("del", KEYS[index]) end
return 1`;

async function countsOf(queue: Queue): Promise<Record<string, number>> {
  const counts = await queue.getJobCounts(...unfinished);
  const schedules = await queue.getJobSchedulersCount();
  const all = Object.entries(schedules > 0 ? { ...counts, schedules } : counts);
  return Object.fromEntries(all.filter(([, count]) => count > 0));
}

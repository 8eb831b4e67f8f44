import type { Queue } from "bullmq";
import { JobsError } from "../../shared/errors.ts";
import { listDrained, listHosts, removeHost } from "../../shared/queue/hosts.ts";
import { knownHosts } from "../jobs/list-jobs.ts";
import type { Session } from "../jobs/session.ts";

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
  if (record === undefined && !drained.has(host) && !queues.includes(host)) {
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
  if (!queues.includes(host)) return { host, removed, left: {} };
  const queue = session.queue(host);
  const left = await countsOf(queue);
  const schedules = await queue.getJobSchedulersCount();
  if (schedules > 0) left.schedules = schedules;
  if (Object.keys(left).length > 0) return { host, removed, left };
  await queue.obliterate();
  return { host, removed: [...removed, "its queue"], left };
}

async function countsOf(queue: Queue): Promise<Record<string, number>> {
  const counts = await queue.getJobCounts(...unfinished);
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

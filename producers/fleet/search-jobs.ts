import { type QueueState, queueStates } from "../contract/job-states.ts";
import type { FoundJob } from "../contract/totals.ts";
import { viewJob } from "../jobs/job-view.ts";
import { knownHosts } from "../jobs/list-jobs.ts";
import type { Session } from "../jobs/session.ts";

/** Ids read of each list of a queue. */
const idsOfList = 2000;

/** Finds jobs whose id begins with `text`, in all queues; `complete` is false if there may be more. */
export async function searchJobs(
  session: Session,
  text: string,
  limit: number,
): Promise<{ list: FoundJob[]; complete: boolean }> {
  const hosts = await knownHosts(session);
  const found = await Promise.all(
    hosts.flatMap((host) => queueStates.map((state) => searchList(session, host, state, text))),
  );
  const ids = found.flatMap((list) => list.ids);
  const list = await Promise.all(ids.slice(0, limit).map((each) => viewFound(session, each)));
  return {
    list: list.filter((job) => job !== undefined),
    complete: ids.length <= limit && found.every(({ complete }) => complete),
  };
}

interface FoundId {
  host: string;
  state: QueueState;
  jobId: string;
}

async function searchList(
  session: Session,
  host: string,
  state: QueueState,
  text: string,
): Promise<{ ids: FoundId[]; complete: boolean }> {
  const ids = await session.queue(host).getRanges([state], 0, idsOfList - 1);
  return {
    ids: ids.filter((jobId) => jobId.startsWith(text)).map((jobId) => ({ host, state, jobId })),
    complete: ids.length < idsOfList,
  };
}

async function viewFound(session: Session, { host, state, jobId }: FoundId): Promise<FoundJob | undefined> {
  const job = await session.queue(host).getJob(jobId);
  if (job === undefined) return undefined;
  const { job: name, area, state: shown } = viewJob(host, job, state);
  return { jobId, host, job: name, area, state: shown };
}

import { JobsError } from "../../shared/errors.ts";
import type { Schedule } from "../contract/schedule.ts";
import type { Session } from "../jobs/session.ts";
import { changeSchedule } from "./change-schedule.ts";
import { forgetPaused, listPaused, pausedSchedule, repeatFrom, writePaused } from "./paused-schedules.ts";
import { namedSchedules, putInQueue, viewPaused } from "./schedules.ts";

/**
 * Takes a schedule out of its queue, so that it takes no turn; a job that it has added continues. A paused one stays
 * as it is. Repeatable: until it has left the queue it is not paused.
 *
 * @param by `user@host`
 * @throws {JobsError} `usage` if there is none of that name, or if it could not be put back as it was
 */
export async function pauseSchedule(session: Session, name: string, by: string): Promise<Schedule> {
  return await changeSchedule(session, name, async () => {
    const [first, second] = await namedSchedules(session, name);
    if (first.paused !== null) return first;
    if (second !== undefined)
      throw cannotPause(name, `the queues of ${first.host} and ${second.host} have one of this name`);
    const { redis, settings } = session;
    const queue = session.queue(first.host);
    const scheduler = await queue.getJobScheduler(name);
    if (scheduler === undefined)
      throw new JobsError("internal", `the schedule ${name} has just been removed`);
    if (scheduler.limit !== undefined)
      throw cannotPause(name, "another program limited the number of its turns, which would begin anew");
    const paused = pausedSchedule(first.host, scheduler, by);
    await writePaused(redis, settings.prefix, paused);
    await queue.removeJobScheduler(name);
    return viewPaused(paused);
  });
}

/**
 * Puts a paused schedule back into its queue; turns that have passed are left out. Another stays as it is. Repeatable.
 * @throws {JobsError} `usage` if there is none of that name
 */
export async function resumeSchedule(session: Session, name: string): Promise<Schedule> {
  return await changeSchedule(session, name, async () => {
    const [first] = await namedSchedules(session, name);
    const { redis, settings } = session;
    const paused = (await listPaused(redis, settings.prefix)).find((each) => each.name === name);
    if (first.paused === null || paused === undefined) {
      await forgetPaused(redis, settings.prefix, name);
      return first;
    }
    const added = await putInQueue(session, paused.host, name, {
      repeat: repeatFrom(paused, Date.now()),
      job: paused.job,
      data: paused.data,
      options: paused.options,
    });
    await forgetPaused(redis, settings.prefix, name);
    return added;
  });
}

/** Of a schedule that another program added by BullMQ's own means. */
function cannotPause(name: string, reason: string): JobsError {
  return new JobsError("usage", `the schedule ${name} cannot be paused: ${reason}`, {
    hint: "remove it, and let that program add it again",
    details: { name },
  });
}

import { JobsError } from "../../shared/errors.ts";
import { parseDuration } from "../../shared/time/duration.ts";
import type { Schedule, ScheduleStatus } from "../contract/schedule.ts";
import type { MigrateOptions } from "../jobs/check-migrate.ts";
import { type RequestPlace, requester } from "../jobs/check-move.ts";
import type { Duration, ReduceOptions } from "../jobs/options.ts";
import type { LastingSession } from "../jobs/session.ts";
import { pauseSchedule, resumeSchedule } from "../schedules/pause.ts";
import { requestSchedule, scheduledNames } from "../schedules/request-schedule.ts";
import { scheduleStatus } from "../schedules/schedule-status.ts";
import { removeSchedule } from "../schedules/schedules.ts";

/** When a schedule is due: either `cron` or `every`. */
export interface ScheduleTimes {
  /** Unique among all hosts; default: made from the job's and the area's names. */
  name?: string;
  /** Minute, hour, day of month, month and day of week; six fields begin with seconds. */
  cron?: string;
  /** Time zone of `cron`, and of the job's `between` if that has none; default: this process's. */
  tz?: string;
  /** An interval of a minute or more instead; the first job starts immediately. */
  every?: Duration;
}

/** The schedules of all hosts, as in `mtjobs schedule`. Errors are JobsErrors. */
export class MtJobsSchedules {
  readonly #session: LastingSession;
  readonly #place: RequestPlace;

  constructor(session: LastingSession, place: RequestPlace) {
    this.#session = session;
    this.#place = place;
  }

  /**
   * Repeats a reduce or a migration; `options` as for the method of that name.
   * @throws {JobsError} `usage` for an invalid schedule or a name in use; as `reduce` or `migrate`
   */
  add(job: "reduce", area: string, options: ReduceOptions, times: ScheduleTimes): Promise<Schedule>;
  add(job: "migrate", area: string, options: MigrateOptions, times: ScheduleTimes): Promise<Schedule>;
  async add(
    job: "reduce" | "migrate",
    area: string,
    options: ReduceOptions | MigrateOptions,
    { every, ...times }: ScheduleTimes,
  ): Promise<Schedule> {
    if (!scheduledNames.includes(job)) {
      throw new JobsError("usage", `"${String(job)}" cannot be scheduled`, {
        hint: "use reduce or migrate",
      });
    }
    const everyMs = typeof every === "string" ? parseDuration(every, "every") : every;
    const request = { name: job, area, options, times: { ...times, every: everyMs } };
    return await requestSchedule(this.#session, request, this.#place);
  }

  /** Returns all schedules by name, with the outcome of their last jobs. */
  async list(): Promise<ScheduleStatus[]> {
    return await this.#session.ask(scheduleStatus);
  }

  /**
   * Lets a schedule take no turn until it is resumed; a job that it has added continues. @throws {JobsError} `usage` if
   * there is none of that name, or if it could not be put back as it was
   */
  async pause(name: string): Promise<Schedule> {
    const by = this.#place.requestedBy ?? requester(this.#place.settings);
    return await this.#session.ask((session) => pauseSchedule(session, name, by));
  }

  /**
   * Lets a paused schedule take its turns again; those that have passed are left out. @throws {JobsError} `usage` if
   * there is none of that name
   */
  async resume(name: string): Promise<Schedule> {
    return await this.#session.ask((session) => resumeSchedule(session, name));
  }

  /**
   * Removes a schedule; a job that it has added continues. @throws {JobsError} `usage` if there is none of that
   * name
   */
  async remove(name: string): Promise<Schedule> {
    return await this.#session.ask((session) => removeSchedule(session, name));
  }
}

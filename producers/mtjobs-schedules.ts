import { parseDuration } from "../shared/duration.ts";
import { JobsError } from "../shared/errors.ts";
import { type ScheduleStatus, scheduleStatus } from "./automatic-status.ts";
import type { LastingSession } from "./lasting-session.ts";
import { checkMigrate, type MigrateOptions } from "./migrate-request.ts";
import { type Duration, type ReduceOptions, requestFrom } from "./move-options.ts";
import { checkRequest, type RequestPlace } from "./move-request.ts";
import { addSchedule, removeSchedule, type Schedule } from "./schedules.ts";

/** When a schedule's turns come: either `cron` or `every`. */
export interface ScheduleTimes {
  /** Unique among all hosts; made of the job's and the area's names unless given. */
  name?: string;
  /** Minute, hour, day of month, month and day of week; six fields begin with seconds. */
  cron?: string;
  /** Time zone of `cron`, and of the job's `between` where that has none; this process's own unless given. */
  tz?: string;
  /** An interval of a minute or more instead: at once, and then so often. */
  every?: Duration;
}

/** The schedules of a farm, as `mtjobs schedule` has them. Errors are JobsErrors. */
export class MtJobsSchedules {
  readonly #session: LastingSession;
  readonly #place: RequestPlace;

  constructor(session: LastingSession, place: RequestPlace) {
    this.#session = session;
    this.#place = place;
  }

  /**
   * Repeats a reduce or a migration; `options` as for the method of that name.
   * @throws {JobsError} `usage` for what is no schedule or a name that is in use; as `reduce` or `migrate`
   */
  add(job: "reduce", area: string, options: ReduceOptions, times: ScheduleTimes): Promise<Schedule>;
  add(job: "migrate", area: string, options: MigrateOptions, times: ScheduleTimes): Promise<Schedule>;
  async add(
    job: "reduce" | "migrate",
    area: string,
    options: ReduceOptions | MigrateOptions,
    { every, ...times }: ScheduleTimes,
  ): Promise<Schedule> {
    if (job !== "reduce" && job !== "migrate") {
      throw new JobsError("usage", `"${String(job)}" cannot be repeated`, {
        hint: "a reduce and a migrate can",
      });
    }
    const everyMs = typeof every === "string" ? parseDuration(every, "every") : every;
    const checked =
      job === "migrate"
        ? await checkMigrate(area, options as MigrateOptions, this.#place)
        : await checkRequest(job, requestFrom<"reduce">(area, options), this.#place);
    return await this.#session.ask((session) => addSchedule(session, checked, { ...times, every: everyMs }));
  }

  /** All of them by name, and how their last jobs ended. */
  async list(): Promise<ScheduleStatus[]> {
    return await this.#session.ask(scheduleStatus);
  }

  /** Ends a schedule; a job that it added goes on. @throws {JobsError} `usage` where there is none of that name */
  async remove(name: string): Promise<Schedule> {
    return await this.#session.ask((session) => removeSchedule(session, name));
  }
}

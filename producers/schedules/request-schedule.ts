import type { Schedule } from "../contract/schedule.ts";
import { checkMigrate, type MigrateOptions } from "../jobs/check-migrate.ts";
import { checkRequest, type RequestPlace } from "../jobs/check-move.ts";
import { requestFrom } from "../jobs/options.ts";
import type { LastingSession } from "../jobs/session.ts";
import { addSchedule, type ScheduleOptions } from "./schedules.ts";

/** The jobs that can be repeated. */
export const scheduledNames = ["reduce", "migrate"] as const;
export type ScheduledName = (typeof scheduledNames)[number];

/** A job to repeat, and when. */
export interface ScheduleRequest {
  name: ScheduledName;
  area: string;
  /** Members of the job's data; millisecond values may be durations. */
  options: object;
  times: ScheduleOptions;
}

/** Checks a job and repeats it. @throws {JobsError} as `addSchedule`, `checkMigrate` and `checkRequest` */
export async function requestSchedule(
  session: LastingSession,
  { name, area, options, times }: ScheduleRequest,
  place: RequestPlace,
): Promise<Schedule> {
  const checked =
    name === "migrate"
      ? await checkMigrate(area, options as MigrateOptions, place)
      : await checkRequest(name, requestFrom(area, options), place);
  return await session.ask((open) => addSchedule(open, checked, times));
}

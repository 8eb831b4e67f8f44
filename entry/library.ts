import { MtJobs as Producer } from "../producers/mtjobs.ts";
import { readSettingsFile, resolveSettings, type Settings } from "../shared/settings.ts";
import { workingDirectory } from "../shared/working-directory.ts";

/**
 * The library: the functions of the command `mtjobs` for programs.
 *
 * ```ts
 * import { MtJobs } from "megatest-jobs";
 *
 * const mtjobs = new MtJobs({ redisUrl: "redis://queue:6379" });
 * const job = await mtjobs.reduce("/areas/a1", { age: "30d" });
 * const { moved } = await job.result();
 * await mtjobs.close();
 * ```
 */
export class MtJobs extends Producer {
  /**
   * @param settings missing members come from the environment (`MTJOBS_…`), then `mtjobs.json`, then the defaults
   * @throws {JobsError} `bad-settings`
   */
  constructor(settings: Partial<Settings> = {}) {
    super(resolveSettings({ flags: settings, env: process.env, file: readSettingsFile() }), {
      env: process.env,
      cwd: workingDirectory(),
      runInline: async (...job) => (await import("../workers/inline.ts")).runInline(...job),
      runRepair: async (...job) => (await import("../workers/inline.ts")).runRepair(...job),
    });
  }
}

export type { AreaStatus } from "../producers/area-status.ts";
export type { AutomaticStatus, ScheduleStatus } from "../producers/automatic-status.ts";
export type { Check } from "../producers/doctor/check.ts";
export type { Examination } from "../producers/doctor/examine.ts";
export type { DrainOptions } from "../producers/drain.ts";
export type { DrainedArea, DrainHooks, DrainResult, StayedArea } from "../producers/drain-areas.ts";
export type { FarmStatus, QueueStatus } from "../producers/farm-status.ts";
export type { Cancelled, JobReport } from "../producers/find-job.ts";
export type { InlineJob, ManyOptions, QueuedJob, ResultOptions } from "../producers/job-handles.ts";
export type { JobState, JobView } from "../producers/job-view.ts";
export type { JobFilter } from "../producers/list-jobs.ts";
export type { MigrateOptions } from "../producers/migrate-request.ts";
export type { ReduceOptions, RestoreOptions } from "../producers/move-options.ts";
export type { DoctorOptions } from "../producers/mtjobs.ts";
export type { MtJobsSchedules, ScheduleTimes } from "../producers/mtjobs-schedules.ts";
export type { Schedule } from "../producers/schedules.ts";
export { type ErrorCode, type ErrorDocument, JobsError } from "../shared/errors.ts";

export type { FullDb, FullDbOptions, Query, Row } from "../shared/full-db/full-db.ts";
export type { Parameters, Value } from "../shared/full-db/parameters.ts";
export type {
  MigrateCheck,
  MigrateCheckName,
  MigrateOutcome,
  MigrateResult,
} from "../shared/migrate-result.ts";
export type {
  MovedRun,
  MoveResult,
  Progress,
  RunLabel,
  SkippedRun,
  SkipReason,
  TimeUp,
} from "../shared/result.ts";

export type { Settings } from "../shared/settings.ts";

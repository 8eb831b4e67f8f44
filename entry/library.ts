import { MtJobs as Producer } from "../producers/client/mtjobs.ts";
import { readSettingsFile, resolveSettings, type Settings } from "../shared/settings/settings.ts";
import { workingDirectory } from "../shared/settings/working-directory.ts";

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

export type { AreaStatus } from "../producers/areas/status.ts";
export type { InlineJob, ManyOptions, QueuedJob, ResultOptions } from "../producers/client/job-handles.ts";
export type { DoctorOptions } from "../producers/client/mtjobs.ts";
export type { MtJobsSchedules, ScheduleTimes } from "../producers/client/schedules.ts";
export type { Check } from "../producers/doctor/checks/check.ts";
export type { Examination } from "../producers/doctor/diagnose-and-repair.ts";
export type { DrainOptions } from "../producers/fleet/drain.ts";
export type { DrainedArea, DrainHooks, DrainResult, StayedArea } from "../producers/fleet/drain-areas.ts";
export type { FleetStatus as FarmStatus, QueueStatus } from "../producers/fleet/status.ts";
export type { FullDb, FullDbOptions, Query, Row } from "../producers/full-db/full-db.ts";
export type { Parameters, Value } from "../producers/full-db/parameters.ts";
export type { MigrateOptions } from "../producers/jobs/check-migrate.ts";
export type { Cancelled, JobReport } from "../producers/jobs/find-job.ts";
export type { JobState, JobView } from "../producers/jobs/job-view.ts";
export type { JobFilter } from "../producers/jobs/list-jobs.ts";
export type { ReduceOptions, RestoreOptions } from "../producers/jobs/options.ts";
export type { AutomaticStatus, ScheduleStatus } from "../producers/jobs/schedule-status.ts";
export type { Schedule } from "../producers/jobs/schedules.ts";
export type {
  MigrateCheck,
  MigrateCheckName,
  MigrateOutcome,
  MigrateResult,
} from "../shared/contract/migrate-result.ts";
export type {
  MovedRun,
  MoveResult,
  Progress,
  RunLabel,
  SkippedRun,
  SkipReason,
  TimeUp,
} from "../shared/contract/move-result.ts";
export { type ErrorCode, type ErrorDocument, JobsError } from "../shared/errors.ts";

export type { Settings } from "../shared/settings/settings.ts";

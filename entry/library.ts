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
    super(resolveSettings({ flags: settings, env: process.env, ...readSettingsFile() }), {
      env: process.env,
      cwd: workingDirectory(),
      runInline: async (...job) => (await import("../workers/inline.ts")).runInline(...job),
      runRepair: async (...job) => (await import("../workers/inline.ts")).runRepair(...job),
    });
  }
}

export type { InlineJob, ManyOptions, QueuedJob, ResultOptions } from "../producers/client/job-handles.ts";
export type { DoctorOptions } from "../producers/client/mtjobs.ts";
export type { MtJobsSchedules, ScheduleTimes } from "../producers/client/schedules.ts";
export type { AreaStatus, Check } from "../producers/contract/area.ts";
export type { AutomaticStatus, FleetStatus as FarmStatus, QueueStatus } from "../producers/contract/fleet.ts";
export type { Cancelled, JobReport, JobView } from "../producers/contract/job.ts";
export type { JobState } from "../producers/contract/job-states.ts";
export type {
  DrainedArea,
  DrainResult,
  Schedule,
  ScheduleStatus,
  StayedArea,
} from "../producers/contract/schedule.ts";
export type { Examination } from "../producers/doctor/diagnose-and-repair.ts";
export type { DrainOptions } from "../producers/fleet/drain.ts";
export type { DrainHooks } from "../producers/fleet/drain-areas.ts";
export type { FullDb, FullDbOptions, Query, Row } from "../producers/full-db/full-db.ts";
export type { Parameters, Value } from "../producers/full-db/parameters.ts";
export type { MigrateOptions } from "../producers/jobs/check-migrate.ts";
export type { JobFilter } from "../producers/jobs/list-jobs.ts";
export type {
  ImportOptions,
  PurgeOptions,
  ReduceOptions,
  RestoreOptions,
} from "../producers/jobs/options.ts";
export type { MigrateCheck, MigrateOutcome, MigrateResult } from "../shared/contract/migrate-result.ts";
export type {
  MovedRun,
  MoveResult,
  Progress,
  RunLabel,
  SkippedRun,
  SkipReason,
  TimeUp,
} from "../shared/contract/move-result.ts";
export type { MigrateCheckName } from "../shared/contract/names.ts";
export type { ErrorCode } from "../shared/error-codes.ts";
export type { ErrorDocument } from "../shared/error-document.ts";
export { JobsError } from "../shared/errors.ts";

export type { Settings } from "../shared/settings/settings.ts";

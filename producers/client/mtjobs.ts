import type { MigrateResult } from "../../shared/contract/migrate-result.ts";
import type { MoveResult } from "../../shared/contract/move-result.ts";
import type { MoveName } from "../../shared/contract/payload.ts";
import { JobsError } from "../../shared/errors.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import { parseDuration } from "../../shared/time/duration.ts";
import { areaPath } from "../areas/area-path.ts";
import { areaStatus } from "../areas/status.ts";
import type { AreaStatus } from "../contract/area.ts";
import type { FleetStatus } from "../contract/fleet.ts";
import type { Cancelled, Enqueued, JobReport, JobResult, JobView, Retried } from "../contract/job.ts";
import type { DrainResult } from "../contract/schedule.ts";
import type { Examination } from "../doctor/diagnose-and-repair.ts";
import { type DrainOptions, drainHost, undrainHost } from "../fleet/drain.ts";
import type { DrainHooks } from "../fleet/drain-areas.ts";
import { fleetStatus } from "../fleet/status.ts";
import { FullDb, type FullDbOptions } from "../full-db/full-db.ts";
import { locateFiles } from "../full-db/locate.ts";
import { checkMigrate, enqueueMigrate, type MigrateOptions } from "../jobs/check-migrate.ts";
import { checkAll, checkRequest, requester } from "../jobs/check-move.ts";
import { enqueueAll, enqueueJob } from "../jobs/enqueue.ts";
import { cancelJob, reportJob } from "../jobs/find-job.ts";
import { followJob } from "../jobs/follow.ts";
import { type JobFilter, listJobs } from "../jobs/list-jobs.ts";
import {
  type Duration,
  type ImportOptions,
  type PurgeOptions,
  type ReduceOptions,
  type RestoreOptions,
  requestFrom,
} from "../jobs/options.ts";
import { retryJob } from "../jobs/retry-job.ts";
import {
  type InlineHooks,
  jobHooks,
  type RepairRequest,
  type RunInline,
  type RunRepair,
} from "../jobs/run-inline.ts";
import { LastingSession } from "../jobs/session.ts";
import type { InlineJob, InlineOptions, ManyOptions, QueuedJob, ResultOptions } from "./job-handles.ts";
import { MtJobsSchedules } from "./schedules.ts";

/** What the library needs from its process and from the workers' side. */
export interface MtJobsDeps {
  env: NodeJS.ProcessEnv;
  cwd: string;
  runInline: RunInline;
  runRepair: RunRepair;
}

export interface DoctorOptions extends InlineHooks {
  /** Finishes or undoes what a dead job left, on the homehost, and checks again. */
  repair?: boolean;
}

/** Enqueues and reads jobs over one connection, opened on first use. Errors are JobsErrors. */
export class MtJobs {
  readonly settings: Settings;
  /** Repeated jobs. */
  readonly schedules: MtJobsSchedules;
  readonly #deps: MtJobsDeps;
  readonly #session: LastingSession;

  constructor(settings: Settings, deps: MtJobsDeps) {
    this.settings = settings;
    this.#deps = deps;
    this.#session = new LastingSession(settings);
    this.schedules = new MtJobsSchedules(this.#session, { settings, ...deps });
  }

  /**
   * Moves runs of an area to completed-runs.db: through the queue of the area's homehost, or with `inline` in this
   * process, which must then run on it. Resolves once the job is enqueued or started.
   * @throws {JobsError} `usage` without a selector; `not-an-area`, `outside-roots`, `redis-unreachable`
   */
  reduce(area: string, options: ReduceOptions & InlineOptions): Promise<InlineJob>;
  reduce(area: string, options: ReduceOptions): Promise<QueuedJob>;
  async reduce(area: string, options: ReduceOptions & Partial<InlineOptions>) {
    return await this.#start("reduce", area, options);
  }

  /**
   * Moves the selected runs back from an area's completed-runs.db; otherwise as `reduce`.
   * @throws {JobsError} `usage` without a selector; `not-an-area`, `outside-roots`, `redis-unreachable`
   */
  restore(area: string, options: RestoreOptions & InlineOptions): Promise<InlineJob>;
  restore(area: string, options: RestoreOptions): Promise<QueuedJob>;
  async restore(area: string, options: RestoreOptions & Partial<InlineOptions>) {
    return await this.#start("restore", area, options);
  }

  /**
   * Removes moved runs from completed-runs.db for good, each after it was exported to a database in the directory
   * `export`; otherwise as `reduce`.
   * @throws {JobsError} `usage` without a selector; `unconfirmed` for `export: false` without `confirmed`; otherwise
   *   as `reduce`
   */
  purge(area: string, options: PurgeOptions & InlineOptions): Promise<InlineJob>;
  purge(area: string, options: PurgeOptions): Promise<QueuedJob>;
  async purge(area: string, options: PurgeOptions & Partial<InlineOptions>) {
    return await this.#start("purge", area, options);
  }

  /** Puts a run that a purge exported back into completed-runs.db; otherwise as `reduce`. @param file absolute path */
  import(area: string, file: string, options: ImportOptions & InlineOptions): Promise<InlineJob>;
  import(area: string, file: string, options?: ImportOptions): Promise<QueuedJob>;
  async import(area: string, file: string, options: ImportOptions & Partial<InlineOptions> = {}) {
    return await this.#start("import", area, { ...options, file });
  }

  /**
   * Enqueues many reduces and restores, much faster than one by one; resolves to their results in the same order.
   * One invalid request prevents all; if Redis is lost midway, repeat the call.
   * @throws {JobsError} as `reduce` and `restore`
   */
  async enqueueAll(jobs: readonly ManyOptions[]): Promise<QueuedJob[]> {
    const requests = jobs.map(({ job, area, ...options }) => {
      assertMove(job);
      return { name: job, request: requestFrom<MoveName>(area, options) };
    });
    const checked = await checkAll(requests, { settings: this.settings, ...this.#deps });
    const enqueued = await this.#session.ask((session) => enqueueAll(session, checked));
    return enqueued.map((one) => ({ ...one, result: (waiting) => this.#result<MoveResult>(one, waiting) }));
  }

  /**
   * Makes another host the area's homehost; default: this one. Resolves once the job is enqueued. The result of a
   * refused or undone one rejects with its document in `details.result`.
   * @throws {JobsError} `usage`, `not-an-area`, `outside-roots`, `pinned`, `unfit-host`, `redis-unreachable`
   */
  async migrate(area: string, options: MigrateOptions = {}): Promise<QueuedJob<MigrateResult>> {
    const checked = await checkMigrate(area, options, { settings: this.settings, ...this.#deps });
    const enqueued = await this.#session.ask((session) => enqueueMigrate(session, checked));
    return { ...enqueued, result: (waiting) => this.#result<MigrateResult>(enqueued, waiting) };
  }

  /**
   * Gives `host` no new areas, and migrates those below `settings.areas` whose homehost it is. Resolves when each
   * has moved or failed; with `whenQuiet` once they are enqueued.
   * @throws {JobsError} `unfit-host`, `bad-settings`, `redis-unreachable`
   */
  async drain(host: string, options: DrainOptions & DrainHooks = {}): Promise<DrainResult> {
    const { signal, onNote, ...rest } = options;
    const hooks = { ...this.#deps, signal, onNote };
    return await this.#session.ask((session) => drainHost(session, host, rest, hooks));
  }

  /** Lets a host take areas again; `was`: whether it had been drained. */
  async undrain(host: string): Promise<{ host: string; drained: false; was: boolean }> {
    return await this.#session.ask((session) => undrainHost(session, host));
  }

  /** Returns jobs of all queues, newest first. */
  async jobs(filter: JobFilter = {}): Promise<JobView[]> {
    return await this.#session.ask((session) => listJobs(session, filter));
  }

  /**
   * Returns one job with its log. `host` is required for a number that several queues have assigned.
   * @throws {JobsError} `unknown-job`; `usage` if `host` is required
   */
  async job(jobId: string, { host }: { host?: string } = {}): Promise<JobReport> {
    return await this.#session.ask((session) => reportJob(session, jobId, host));
  }

  /**
   * Cancels a job: a waiting one is removed, a running one stops at its next batch. What it moved stays moved. Otherwise
   * as `job`.
   */
  async cancel(jobId: string, { host }: { host?: string } = {}): Promise<Cancelled> {
    const requestedBy = requester(this.settings);
    return await this.#session.ask((session) => cancelJob(session, jobId, { host, requestedBy }));
  }

  /**
   * Adds the work of a failed job to its queue again, as a new job; the same one if it was retried before. `host` as
   * for `job`.
   * @throws {JobsError} `unknown-job`; `usage` if the job has not failed or cannot be retried
   */
  async retry(jobId: string, { host }: { host?: string } = {}): Promise<QueuedJob<JobResult> & Retried> {
    const requestedBy = requester(this.settings);
    const retried = await this.#session.ask((session) => retryJob(session, jobId, { host, requestedBy }));
    return { ...retried, result: (waiting) => this.#result(retried, waiting) };
  }

  /** Without `area`: hosts, queues, workers. With it: the area itself, without Redis. */
  status(): Promise<FleetStatus>;
  status(area: string): Promise<AreaStatus>;
  async status(area?: string): Promise<FleetStatus | AreaStatus> {
    return area === undefined
      ? await this.#session.ask(fleetStatus)
      : await areaStatus(area, { settings: this.settings, ...this.#deps });
  }

  /**
   * Checks an area; each check has a verdict and may have a remedy. Read-only, without Redis. `repair` repairs in
   * this process what dead jobs left; `signal` stops it at its next batch.
   * @throws {JobsError} `not-an-area`, `outside-roots`, `bad-config`; of a repair `not-home`, `locked`,
   *   `cancelled`, …
   */
  async doctor(area: string, { repair = false, ...hooks }: DoctorOptions = {}): Promise<Examination> {
    const { diagnoseAndRepair } = await import("../doctor/diagnose-and-repair.ts");
    const { settings } = this;
    const runRepair = (request: RepairRequest) => this.#deps.runRepair(request, settings, jobHooks(hooks));
    return await diagnoseAndRepair(area, { settings, ...this.#deps }, repair ? runRepair : undefined);
  }

  /**
   * Opens a read-only connection to megatest.db (on the homehost: the cache) and completed-runs.db, on which
   * queries written for Megatest see every run once. Needs no Redis. The caller closes it; a query has no time
   * limit.
   * @throws {JobsError} `not-an-area`, `outside-roots`, `busy`, `unknown-schema`, …
   */
  async openFullDb(area: string, options: FullDbOptions = {}): Promise<FullDb> {
    const { env, cwd } = this.#deps;
    const { files } = await locateFiles(areaPath(cwd, area), { settings: this.settings, env });
    return new FullDb(files, options);
  }

  /** Closes the connection; jobs continue. May be called twice; a later call of another method reopens it. */
  async close(): Promise<void> {
    await this.#session.close();
  }

  async #start(
    name: MoveName,
    area: string,
    { inline, signal, onProgress, onLog, ...options }: Partial<InlineOptions> & { file?: string },
  ): Promise<InlineJob | QueuedJob> {
    const checked = await checkRequest(name, requestFrom(area, options), {
      settings: this.settings,
      ...this.#deps,
    });
    if (inline !== true) {
      const enqueued = await this.#session.ask((session) => enqueueJob(session, checked));
      return { ...enqueued, result: (waiting) => this.#result<MoveResult>(enqueued, waiting) };
    }
    const hooks = jobHooks({ signal, onProgress, onLog });
    const running = this.#deps.runInline(checked.name, checked.payload, this.settings, hooks);
    // An unhandled rejection would end the process if the caller never asks for the result.
    running.catch(() => {});
    return { host: this.settings.host, area: checked.payload.area, result: () => running };
  }

  async #result<Result extends JobResult>(enqueued: Enqueued, options: ResultOptions = {}): Promise<Result> {
    const { timeout, ...rest } = options;
    const timeoutMs = timeout === undefined ? undefined : toMilliseconds(timeout, "timeout");
    const { result, error } = await this.#session.ask((session) =>
      followJob<Result>(session, enqueued, { ...rest, timeoutMs }),
    );
    if (error !== undefined) throw error;
    return result;
  }
}

function toMilliseconds(value: Duration, what: string): number {
  return typeof value === "number" ? value : parseDuration(value, what);
}

/** Callers without types may pass anything. */
function assertMove(job: string): void {
  if (job === "reduce" || job === "restore") return;
  throw new JobsError("usage", `enqueueAll cannot enqueue "${job}"`, {
    hint: "enqueueAll takes reduce and restore; use migrate() for a migration",
  });
}

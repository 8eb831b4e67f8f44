import { Tinypool } from "tinypool";
import type { ErrorDocument } from "../../../shared/error-document.ts";
import { JobsError } from "../../../shared/errors.ts";
import { builtFile } from "../../../shared/process.ts";
import type { Settings } from "../../../shared/settings/settings.ts";
import type { AreaMeasure } from "../../areas/measure-areas.ts";
import type { AreaTotal } from "../../browse/area-totals.ts";
import type { BrowseRequest } from "../../browse/browse-runs.ts";
import type { TestRequest, TestsRequest } from "../../browse/browse-tests.ts";
import type { RunSearch } from "../../browse/search-runs.ts";
import type {
  AreaHistory,
  AreaStatus,
  Diagnosis,
  FoundArea,
  FoundAreas,
  GainByAge,
} from "../../contract/area.ts";
import type { Enqueued } from "../../contract/job.ts";
import type { RunDetail, RunsPage, TestDetail, TestsPage } from "../../contract/runs.ts";
import type { DrainResult, Policies, Schedule } from "../../contract/schedule.ts";
import type { AreaMeasures, Search } from "../../contract/totals.ts";
import type { DrainOptions } from "../../fleet/drain.ts";
import type { ReadFiles } from "../../full-db/locate.ts";
import type { JobRequest } from "../../jobs/request-job.ts";
import type { ScheduleRequest } from "../../schedules/request-schedule.ts";

/** A thread's response; errors cross threads as documents. */
export type AreaPoolAnswer<T> = { value: T } | { error: ErrorDocument };

export interface StatusTask {
  settings: Settings;
  area: string;
}

export type MeasuredArea = AreaMeasure & AreaTotal;

export interface LocatedArea {
  area: string;
  files: ReadFiles;
}

export interface RunsTask extends StatusTask {
  request: BrowseRequest;
}

export interface RunTask extends StatusTask {
  runId: string;
}

export interface TestsTask extends RunTask {
  request: TestsRequest;
}

export interface TestTask extends RunTask {
  testId: string;
  request: TestRequest;
}

export interface GainTask extends StatusTask {
  keep: number;
}

export interface SearchTask {
  settings: Settings;
  request: RunSearch;
}

export interface EnqueueTask {
  settings: Settings;
  requestedBy: string;
  request: JobRequest;
}

export interface ScheduleTask {
  settings: Settings;
  requestedBy: string;
  request: ScheduleRequest;
}

export interface DrainTask {
  settings: Settings;
  requestedBy: string;
  host: string;
  options: DrainOptions;
}

/** Maximum number of requests waiting for a thread; further ones are refused. */
const longestQueue = 200;
/** How long a list of areas, its measures, and a reading of a whole area are cached, in ms. */
const freshFor = 10_000;
const measuredFor = 30_000;
const readFor = 60_000;
const mostRemembered = 1000;

/** Threads for one kind of task, and the timeout in ms. */
interface LimitedPool {
  pool: Tinypool;
  patience: number;
}

interface Remembered<T> {
  at: number;
  answer: Promise<T>;
}

/**
 * Runs all access to areas' files in threads, so that a hanging file system or a large database does not block the
 * server.
 */
export class AreaPool {
  readonly #settings: Settings;
  readonly #quick: LimitedPool;
  /** Scans and diagnoses; separate, so that they do not delay quick requests. */
  readonly #slow: LimitedPool;
  /** Measures of all areas: one thread, which remembers what it read. */
  readonly #measuring: LimitedPool;
  /** Reads of runs; separate, because a large area takes long. */
  readonly #runs: LimitedPool;
  #found: Remembered<FoundAreas> | undefined;
  #measured: Remembered<MeasuredArea[]> | undefined;
  #listed: Remembered<AreaMeasures> | undefined;
  #policies: Remembered<Policies> | undefined;
  readonly #diagnoses = new Map<string, Remembered<Diagnosis>>();
  readonly #gains = new Map<string, Remembered<GainByAge>>();

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#quick = { pool: threads(4), patience: 20_000 };
    this.#slow = { pool: threads(2), patience: 60_000 };
    this.#measuring = { pool: threads(1), patience: 60_000 };
    this.#runs = { pool: threads(2), patience: 20_000 };
  }

  /** @throws {JobsError} the reason for a refusal */
  enqueue(request: JobRequest, requestedBy: string): Promise<Enqueued> {
    return this.#run<Enqueued>(this.#quick, "enqueue", { request, requestedBy });
  }

  /** @throws {JobsError} as `requestSchedule` */
  schedule(request: ScheduleRequest, requestedBy: string): Promise<Schedule> {
    return this.#run<Schedule>(this.#quick, "schedule", { request, requestedBy });
  }

  /** Requests the migrations of a drain, without following them. @throws {JobsError} as `drainHost` */
  drain(host: string, options: DrainOptions, requestedBy: string): Promise<DrainResult> {
    return this.#run<DrainResult>(this.#slow, "drain", { host, options, requestedBy });
  }

  /** @throws {JobsError} `not-an-area`, `outside-roots`, … */
  status(area: string): Promise<AreaStatus> {
    return this.#run<AreaStatus>(this.#quick, "status", { area });
  }

  /** @throws {JobsError} as `status` */
  history(area: string): Promise<AreaHistory> {
    return this.#run<AreaHistory>(this.#quick, "history", { area });
  }

  /** Returns the files that a query of the area reads. @throws {JobsError} as `locateFiles` */
  locate(area: string): Promise<LocatedArea> {
    return this.#run<LocatedArea>(this.#quick, "locate", { area });
  }

  /** Returns a page of an area's runs. @throws {JobsError} as `browseRuns` */
  runs(area: string, request: BrowseRequest): Promise<RunsPage> {
    return this.#run<RunsPage>(this.#runs, "runs", { area, request });
  }

  /** @throws {JobsError} as `browseRun` */
  run(area: string, runId: string): Promise<RunDetail> {
    return this.#run<RunDetail>(this.#runs, "run", { area, runId });
  }

  /** @throws {JobsError} as `browseTests` */
  tests(area: string, runId: string, request: TestsRequest): Promise<TestsPage> {
    return this.#run<TestsPage>(this.#runs, "tests", { area, runId, request });
  }

  /** @throws {JobsError} as `browseTest` */
  test(area: string, ids: { runId: string; testId: string }, request: TestRequest): Promise<TestDetail> {
    return this.#run<TestDetail>(this.#runs, "test", { area, ...ids, request });
  }

  /** Returns what a reduce would free, by age; at most 60 s old. @throws {JobsError} as `gainByAge` */
  gain(area: string, keep: number): Promise<GainByAge> {
    return recall(this.#gains, `${keep} ${area}`, () =>
      this.#run<GainByAge>(this.#runs, "gain", { area, keep }),
    );
  }

  searchRuns(request: RunSearch): Promise<NonNullable<Search["runs"]>> {
    return this.#run<NonNullable<Search["runs"]>>(this.#runs, "search", { request });
  }

  /** Returns the doctor's checks of an area, at most 60 s old. @throws {JobsError} as `status` */
  diagnosis(area: string): Promise<Diagnosis> {
    return recall(this.#diagnoses, area, () => this.#run<Diagnosis>(this.#slow, "diagnosis", { area }));
  }

  /** Returns all areas below the roots; at most 10 s old. */
  areas(): Promise<FoundAreas> {
    if (this.#found === undefined || isOld(this.#found, freshFor)) {
      this.#found = { at: performance.now(), answer: this.#run<FoundAreas>(this.#slow, "find", {}) };
    }
    return this.#found.answer;
  }

  /** Returns sizes, runs and last jobs of all areas; at most 30 s old. */
  measures(): Promise<MeasuredArea[]> {
    if (this.#measured === undefined || isOld(this.#measured, measuredFor)) {
      const answer = this.#run<MeasuredArea[]>(this.#measuring, "measure", {});
      this.#measured = { at: performance.now(), answer };
    }
    return this.#measured.answer;
  }

  /** Returns what all areas are sorted by; at most 30 s old. */
  list(): Promise<AreaMeasures> {
    if (this.#listed === undefined || isOld(this.#listed, measuredFor)) {
      const answer = this.#run<AreaMeasures>(this.#measuring, "list", {});
      this.#listed = { at: performance.now(), answer };
    }
    return this.#listed.answer;
  }

  /** Returns the policies of all areas; at most 30 s old. */
  policies(): Promise<Policies> {
    if (this.#policies === undefined || isOld(this.#policies, measuredFor))
      this.#policies = { at: performance.now(), answer: this.#run<Policies>(this.#slow, "policies", {}) };
    return this.#policies.answer;
  }

  /** Returns the area with that id, by any of its paths; undefined if none is below the roots. */
  async areaOf(areaId: string): Promise<FoundArea | undefined> {
    const { areas } = await this.areas();
    return areas.find((area) => area.areaId === areaId);
  }

  /** Terminates the threads and their tasks. */
  async close(): Promise<void> {
    await Promise.all(
      [this.#quick, this.#slow, this.#measuring, this.#runs].map(({ pool }) => pool.destroy()),
    );
  }

  async #run<T>({ pool, patience }: LimitedPool, name: string, task: object): Promise<T> {
    if (pool.queueSize >= longestQueue) {
      throw new JobsError("busy", "too many waiting requests about areas", { hint: "try again later" });
    }
    const signal = AbortSignal.timeout(patience);
    let answer: AreaPoolAnswer<T>;
    try {
      answer = await pool.run({ settings: this.#settings, ...task }, { name, signal });
    } catch (error) {
      if (!signal.aborted) throw error;
      throw new JobsError("timeout", `the areas' file system did not respond within ${patience / 1000} s`, {
        hint: "a requested job may have been enqueued: see GET /api/v1/jobs, or repeat the request with the same Idempotency-Key",
        cause: error,
      });
    }
    if ("error" in answer) throw JobsError.fromDocument(answer.error);
    return answer.value;
  }
}

function threads(most: number): Tinypool {
  return new Tinypool({
    filename: builtFile("producers/server/area-pool/area-pool-thread.js").href,
    minThreads: 1,
    maxThreads: most,
    idleTimeout: 60_000,
    // An idle thread must still receive events from Redis.
    useAtomics: false,
  });
}

/** Returns what is known of an area, or reads it. */
function recall<T>(known: Map<string, Remembered<T>>, key: string, read: () => Promise<T>): Promise<T> {
  const last = known.get(key);
  if (last !== undefined && !isOld(last, readFor)) return last.answer;
  if (known.size >= mostRemembered) known.clear();
  const answer = read();
  known.set(key, { at: performance.now(), answer });
  return answer;
}

/** Failures are cached like results, so that a hanging file system is not asked again immediately. */
function isOld({ at }: Remembered<unknown>, freshFor: number): boolean {
  return performance.now() - at > freshFor;
}

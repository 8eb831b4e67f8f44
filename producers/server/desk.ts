import { Tinypool } from "tinypool";
import type { HistoryLine } from "../../shared/area/history.ts";
import { type ErrorDocument, JobsError } from "../../shared/errors.ts";
import type { Settings } from "../../shared/settings.ts";
import type { AreaStatus } from "../area-status.ts";
import type { Diagnosis } from "../doctor/doctor.ts";
import type { Enqueued } from "../enqueue.ts";
import type { FoundArea, FoundAreas } from "../find-areas.ts";
import type { AreaMeasure } from "../measure-areas.ts";
import type { JobRequest } from "../request-job.ts";

/** What a thread of the desk answers; errors cross threads as documents. */
export type DeskAnswer<T> = { value: T } | { error: ErrorDocument };

export interface StatusTask {
  settings: Settings;
  area: string;
}

export interface HistoryTask extends StatusTask {
  limit: number;
}

export interface EnqueueTask {
  settings: Settings;
  requestedBy: string;
  request: JobRequest;
}

/** Requests that may wait for a thread; more are refused. */
const longestQueue = 200;
/** Milliseconds for which a look over all areas counts, for which their measures do, and a diagnosis. */
const freshFor = 10_000;
const measuredFor = 30_000;
const diagnosedFor = 60_000;
/** Diagnoses that are kept. */
const mostDiagnoses = 1000;

/** Threads for one kind of task, and the milliseconds that the areas' file system has for an answer. */
interface Lane {
  pool: Tinypool;
  patience: number;
}

interface Remembered<T> {
  at: number;
  answer: Promise<T>;
}

/**
 * Everything of the server that touches an area's files, in threads: a file system that hangs, or a database that is
 * large, must not keep the server from answering others.
 */
export class Desk {
  readonly #settings: Settings;
  readonly #quick: Lane;
  /** Looks over all areas, and diagnoses: many of them must not keep a quick answer waiting. */
  readonly #slow: Lane;
  #found: Remembered<FoundAreas> | undefined;
  #measured: Remembered<AreaMeasure[]> | undefined;
  readonly #diagnoses = new Map<string, Remembered<Diagnosis>>();

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#quick = { pool: threads(4), patience: 20_000 };
    this.#slow = { pool: threads(2), patience: 60_000 };
  }

  /** @throws {JobsError} what refuses the job */
  enqueue(request: JobRequest, requestedBy: string): Promise<Enqueued> {
    return this.#run<Enqueued>(this.#quick, "enqueue", { request, requestedBy });
  }

  /** @throws {JobsError} `not-an-area`, `outside-roots`, … */
  status(area: string): Promise<AreaStatus> {
    return this.#run<AreaStatus>(this.#quick, "status", { area });
  }

  /** The last `limit` lines of an area's history, oldest first. @throws {JobsError} as `status` */
  history(area: string, limit: number): Promise<HistoryLine[]> {
    return this.#run<HistoryLine[]>(this.#quick, "history", { area, limit });
  }

  /** What `doctor` says of an area, as it was within the last 60 s. @throws {JobsError} as `status` */
  diagnosis(area: string): Promise<Diagnosis> {
    const known = this.#diagnoses.get(area);
    if (known !== undefined && !isOld(known, diagnosedFor)) return known.answer;
    if (this.#diagnoses.size >= mostDiagnoses) this.#diagnoses.clear();
    const answer = this.#run<Diagnosis>(this.#slow, "diagnosis", { area });
    this.#diagnoses.set(area, { at: performance.now(), answer });
    return answer;
  }

  /** All areas below the roots, as they were within the last 10 s. */
  areas(): Promise<FoundAreas> {
    if (this.#found === undefined || isOld(this.#found, freshFor)) {
      this.#found = { at: performance.now(), answer: this.#run<FoundAreas>(this.#slow, "find", {}) };
    }
    return this.#found.answer;
  }

  /** Sizes and last jobs of all areas, as they were within the last 30 s. */
  measures(): Promise<AreaMeasure[]> {
    if (this.#measured === undefined || isOld(this.#measured, measuredFor)) {
      this.#measured = { at: performance.now(), answer: this.#run<AreaMeasure[]>(this.#slow, "measure", {}) };
    }
    return this.#measured.answer;
  }

  /** The area of that id, by any of its paths. Undefined where none is below the roots. */
  async areaOf(areaId: string): Promise<FoundArea | undefined> {
    const { areas } = await this.areas();
    return areas.find((area) => area.areaId === areaId);
  }

  /** Ends the threads, whatever they are doing. */
  async close(): Promise<void> {
    await Promise.all([this.#quick.pool.destroy(), this.#slow.pool.destroy()]);
  }

  async #run<T>({ pool, patience }: Lane, name: string, task: object): Promise<T> {
    if (pool.queueSize >= longestQueue) {
      throw new JobsError("busy", "too many requests about areas are waiting", { hint: "ask again later" });
    }
    const signal = AbortSignal.timeout(patience);
    let answer: DeskAnswer<T>;
    try {
      answer = await pool.run({ settings: this.#settings, ...task }, { name, signal });
    } catch (error) {
      if (!signal.aborted) throw error;
      throw new JobsError("timeout", `the areas' file system gave no answer within ${patience / 1000} s`, {
        hint: "a job that was asked for may have been enqueued: see GET /api/v1/jobs, or ask again with the same Idempotency-Key",
        cause: error,
      });
    }
    if ("error" in answer) throw JobsError.fromDocument(answer.error);
    return answer.value;
  }
}

function threads(most: number): Tinypool {
  return new Tinypool({
    filename: new URL("./desk-thread.js", import.meta.url).href,
    minThreads: 1,
    maxThreads: most,
    idleTimeout: 60_000,
    // Between tasks a thread must hear from Redis.
    useAtomics: false,
  });
}

/** A failure counts as long as an answer: a file system that hangs must not be asked again at once. */
function isOld({ at }: Remembered<unknown>, freshFor: number): boolean {
  return performance.now() - at > freshFor;
}

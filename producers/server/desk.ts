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

/** Milliseconds that the areas' file system has for one answer, and for a look over all areas. */
const patience = 20_000;
const longPatience = 60_000;
/** Requests that may wait for a thread; more are refused. */
const longestQueue = 200;
/** Milliseconds for which a look over all areas counts, for which their measures do, and a diagnosis. */
const freshFor = 10_000;
const measuredFor = 30_000;
const diagnosedFor = 60_000;
/** Diagnoses that are kept. */
const mostDiagnoses = 1000;

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
  readonly #pool: Tinypool;
  #found: Remembered<FoundAreas> | undefined;
  #measured: Remembered<AreaMeasure[]> | undefined;
  readonly #diagnoses = new Map<string, Remembered<Diagnosis>>();

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#pool = new Tinypool({
      filename: new URL("./desk-thread.js", import.meta.url).href,
      minThreads: 1,
      maxThreads: 4,
      idleTimeout: 60_000,
      // Between tasks a thread must hear from Redis.
      useAtomics: false,
    });
  }

  /** @throws {JobsError} what refuses the job */
  enqueue(request: JobRequest, requestedBy: string): Promise<Enqueued> {
    return this.#run<Enqueued>("enqueue", { request, requestedBy }, patience);
  }

  /** @throws {JobsError} `not-an-area`, `outside-roots`, … */
  status(area: string): Promise<AreaStatus> {
    return this.#run<AreaStatus>("status", { area }, patience);
  }

  /** The last `limit` lines of an area's history, oldest first. @throws {JobsError} as `status` */
  history(area: string, limit: number): Promise<HistoryLine[]> {
    return this.#run<HistoryLine[]>("history", { area, limit }, patience);
  }

  /** What `doctor` says of an area, as it was within the last 60 s. @throws {JobsError} as `status` */
  diagnosis(area: string): Promise<Diagnosis> {
    const known = this.#diagnoses.get(area);
    if (known !== undefined && !isOld(known, diagnosedFor)) return known.answer;
    if (this.#diagnoses.size >= mostDiagnoses) this.#diagnoses.clear();
    const answer = this.#run<Diagnosis>("diagnosis", { area }, longPatience);
    this.#diagnoses.set(area, { at: Date.now(), answer });
    return answer;
  }

  /** All areas below the roots, as they were within the last 10 s. */
  areas(): Promise<FoundAreas> {
    if (this.#found === undefined || isOld(this.#found, freshFor)) {
      this.#found = { at: Date.now(), answer: this.#run<FoundAreas>("find", {}, longPatience) };
    }
    return this.#found.answer;
  }

  /** Sizes and last jobs of all areas, as they were within the last 30 s. */
  measures(): Promise<AreaMeasure[]> {
    if (this.#measured === undefined || isOld(this.#measured, measuredFor)) {
      this.#measured = { at: Date.now(), answer: this.#run<AreaMeasure[]>("measure", {}, longPatience) };
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
    await this.#pool.destroy();
  }

  async #run<T>(name: string, task: object, deadline: number): Promise<T> {
    if (this.#pool.queueSize >= longestQueue) {
      throw new JobsError("busy", "too many requests about areas are waiting", { hint: "ask again later" });
    }
    const signal = AbortSignal.timeout(deadline);
    let answer: DeskAnswer<T>;
    try {
      answer = await this.#pool.run({ settings: this.#settings, ...task }, { name, signal });
    } catch (error) {
      if (!signal.aborted) throw error;
      throw new JobsError("timeout", `the areas' file system gave no answer within ${deadline / 1000} s`, {
        hint: "a job that was asked for may have been enqueued: see GET /api/v1/jobs, or ask again with the same Idempotency-Key",
        cause: error,
      });
    }
    if ("error" in answer) throw JobsError.fromDocument(answer.error);
    return answer.value;
  }
}

/** A failure counts as long as an answer: a file system that hangs must not be asked again at once. */
function isOld({ at }: Remembered<unknown>, freshFor: number): boolean {
  return Date.now() - at > freshFor;
}

import { ask } from "./api.ts";
import { changed, state } from "./state.ts";

/** Milliseconds before a request, because the user may type on. */
const patience = 150;

/** One document of the API at a time. The last value stays until the next one arrives, so that nothing jumps. */
export class Resource<T> {
  value: T | undefined;
  trouble: string | undefined;
  readonly #freshFor: number;
  readonly #followsJobs: boolean;
  #path: string | undefined;
  /** What `value` answers. */
  #shown: string | undefined;
  /** `state.jobsVersion` at the last request. */
  #version = -1;
  /** When it was requested, in ms as `performance.now()`. */
  #at = Number.NEGATIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param freshFor milliseconds until the document is read again; `followsJobs`: also whenever a job changes */
  constructor({ freshFor = 15_000, followsJobs = true } = {}) {
    this.#freshFor = freshFor;
    this.#followsJobs = followsJobs;
  }

  get isLoading(): boolean {
    return this.value === undefined && this.trouble === undefined;
  }

  /** Returns true while `value` answers an earlier request. */
  get isOutOfDate(): boolean {
    return this.trouble === undefined && this.#shown !== this.#path;
  }

  /** Has the document read again at the next drawing. */
  outdate(): void {
    this.#at = Math.min(this.#at, performance.now() - this.#freshFor - 1);
  }

  /** Called at each drawing: requests `path` if it is another one than before, if jobs have changed, or if it is outdated. */
  want(path: string): this {
    const isOther = path !== this.#path;
    const isOld =
      performance.now() - this.#at > this.#freshFor ||
      (this.#followsJobs && this.#version !== state.jobsVersion);
    if (isOther || (isOld && this.#timer === undefined && !document.hidden)) {
      clearTimeout(this.#timer);
      this.#path = path;
      this.#timer = setTimeout(() => void this.#load(path), this.#at < 0 ? 0 : patience);
    }
    return this;
  }

  async #load(path: string): Promise<void> {
    this.#version = state.jobsVersion;
    this.#at = performance.now();
    try {
      const value = await ask<T>(path);
      if (path !== this.#path) return;
      this.value = value;
      this.#shown = path;
      this.trouble = undefined;
    } catch (error) {
      if (path !== this.#path) return;
      this.trouble = (error as Error).message;
    }
    this.#timer = undefined;
    changed();
  }
}

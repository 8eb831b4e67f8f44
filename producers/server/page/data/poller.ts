import type { Diagnosis } from "../../../contract/area.ts";
import { askArea } from "./api.ts";
import type { Area } from "./documents.ts";
import { changed } from "./state.ts";

/** A result; the last value stays until the next one arrives. */
export interface Found<T> {
  /** When it was requested, in ms as `performance.now()`; -Infinity if it must be requested again. */
  at: number;
  value?: T | undefined;
  trouble?: string;
}

/** Requests something for many areas, at most `width` at a time, and repeats it when it is outdated. */
class Poller<T> {
  readonly #fetch: (path: string) => Promise<T>;
  readonly #width: number;
  readonly #freshFor: number;
  readonly #found = new Map<string, Found<T>>();
  readonly #asking = new Set<string>();
  /** Those of `#asking` whose area changed meanwhile. */
  readonly #outdated = new Set<string>();
  #wanted: readonly string[] = [];

  /** @param freshFor milliseconds until a result is outdated */
  constructor(fetch: (path: string) => Promise<T>, width: number, freshFor: number) {
    this.#fetch = fetch;
    this.#width = width;
    this.#freshFor = freshFor;
  }

  get(path: string): Found<T> | undefined {
    return this.#found.get(path);
  }

  /** Sets the areas to request from now on: the visible ones. */
  want(paths: readonly string[]): void {
    this.#wanted = paths;
    this.#go();
  }

  /** Marks a result as outdated, because the area has changed; also one that is being requested. */
  outdate(path: string): void {
    const found = this.#found.get(path);
    if (found !== undefined) found.at = Number.NEGATIVE_INFINITY;
    if (this.#asking.has(path)) this.#outdated.add(path);
    this.#go();
  }

  #go(): void {
    const old = this.#wanted.filter(
      (path) =>
        !this.#asking.has(path) &&
        performance.now() - (this.#found.get(path)?.at ?? Number.NEGATIVE_INFINITY) > this.#freshFor,
    );
    for (const path of old.slice(0, this.#width - this.#asking.size)) void this.#ask(path);
  }

  async #ask(path: string): Promise<void> {
    this.#asking.add(path);
    const found: Found<T> = { at: Number.NEGATIVE_INFINITY };
    try {
      found.value = await this.#fetch(path);
    } catch (error) {
      found.value = this.#found.get(path)?.value;
      found.trouble = (error as Error).message;
    }
    if (!this.#outdated.delete(path)) found.at = performance.now();
    this.#found.set(path, found);
    this.#asking.delete(path);
    changed();
    this.#go();
  }
}

/** Sizes, runs, locks and last jobs of the visible areas. */
export const areaDetails = new Poller<Area>((path) => askArea(path, ""), 4, 30_000);

/** One at a time, because the doctor reads whole databases. */
export const diagnoses = new Poller<Diagnosis>((path) => askArea(path, "/doctor"), 1, 120_000);

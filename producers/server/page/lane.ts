import { changed } from "./state.ts";

/** What came of asking: the last answer stays until the next has come. */
export interface Found<T> {
  /** Milliseconds since 1970; 0 where it shall be asked again. */
  at: number;
  value?: T;
  trouble?: string;
}

/** Asks something of many areas, so many at a time, and of each again after a while. */
export class Lane<T> {
  readonly #fetch: (path: string) => Promise<T>;
  readonly #width: number;
  readonly #freshFor: number;
  readonly #found = new Map<string, Found<T>>();
  readonly #asking = new Set<string>();
  #wanted: readonly string[] = [];

  /** @param freshFor milliseconds for which an answer counts */
  constructor(fetch: (path: string) => Promise<T>, width: number, freshFor: number) {
    this.#fetch = fetch;
    this.#width = width;
    this.#freshFor = freshFor;
  }

  get(path: string): Found<T> | undefined {
    return this.#found.get(path);
  }

  /** Says which areas are to be asked from now on: those that are seen. */
  want(paths: readonly string[]): void {
    this.#wanted = paths;
    this.#go();
  }

  /** Something has happened there: what is known is old. */
  outdate(path: string): void {
    const found = this.#found.get(path);
    if (found !== undefined) found.at = Number.NEGATIVE_INFINITY;
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
    try {
      this.#found.set(path, { at: performance.now(), value: await this.#fetch(path) });
    } catch (error) {
      const { value } = this.#found.get(path) ?? {};
      const trouble = (error as Error).message;
      this.#found.set(path, { at: performance.now(), trouble, ...(value === undefined ? {} : { value }) });
    }
    this.#asking.delete(path);
    changed();
    this.#go();
  }
}

import { statSync } from "node:fs";
import { join } from "node:path";
import { historyFile } from "../../shared/area/history.ts";

interface Known<T> {
  readAt: number;
  /** The files' times and sizes then. */
  stamp: string;
  history: string | null;
  value: T;
}

/** Minimum ms between reads of changed and of unchanged files. */
const rereadMs = 5 * 60_000;
const rereadUnchangedMs = 60 * 60_000;
/** The same after a job has ended in the area. */
const rereadAfterJobMs = 10_000;

/** Caches by area what is read from its files, because every scrape and every page asks for all areas. */
export class Reread<T> {
  readonly #known = new Map<string, Known<T>>();

  /**
   * Returns the value of `read`, possibly from the cache; that is short-lived after a job in the area has ended.
   * @throws if `read` throws
   */
  of(area: string, files: readonly string[], read: () => T, now = Date.now()): T {
    const stamp = JSON.stringify(files.map(stampOf));
    const history = stampOf(historyFile({ privateDir: join(area, ".mtjobs") }));
    const known = this.#known.get(area);
    if (known !== undefined) {
      const unlessJob = known.stamp === stamp ? rereadUnchangedMs : rereadMs;
      const fresh = known.history === history ? unlessJob : rereadAfterJobMs;
      if (now - known.readAt < fresh) return known.value;
    }
    const value = read();
    this.#known.set(area, { readAt: now, stamp, history, value });
    return value;
  }

  /** Returns what was read last, however old. */
  last(area: string): T | undefined {
    return this.#known.get(area)?.value;
  }
}

/** Null if the file is missing, or cannot be looked at: one area's must not keep the others from being read. */
function stampOf(file: string): string | null {
  try {
    const { mtimeMs, size } = statSync(file);
    return `${mtimeMs} ${size}`;
  } catch {
    return null;
  }
}

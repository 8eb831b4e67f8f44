import { statSync } from "node:fs";

interface Known<T> {
  readAt: number;
  /** The files' times and sizes then. */
  stamp: string;
  value: T;
}

/** Minimum ms between reads of changed and of unchanged files. */
const rereadMs = 5 * 60_000;
const rereadUnchangedMs = 60 * 60_000;

/** Caches by area what is read from its files, because every scrape and every page asks for all areas. */
export class Reread<T> {
  readonly #known = new Map<string, Known<T>>();

  /** Returns the value of `read`, possibly from the cache. @throws if `read` throws */
  of(area: string, files: readonly string[], read: () => T, now = Date.now()): T {
    const stamp = JSON.stringify(files.map(stampOf));
    const known = this.#known.get(area);
    if (known !== undefined) {
      const fresh = known.stamp === stamp ? rereadUnchangedMs : rereadMs;
      if (now - known.readAt < fresh) return known.value;
    }
    const value = read();
    this.#known.set(area, { readAt: now, stamp, value });
    return value;
  }

  /** Returns what was read last, however old. */
  last(area: string): T | undefined {
    return this.#known.get(area)?.value;
  }
}

function stampOf(file: string): string | null {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? null : `${stat.mtimeMs} ${stat.size}`;
}

import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { mergeCache } from "../../../workers/migrate/merge/merge-cache.ts";
import { settleTimes } from "../area/edit-area.ts";
import { readColumn } from "../area/read-rows.ts";
import { newArea } from "../area/temp-area.ts";
import { openToWrite } from "../queue/divided-area.ts";
import { withMove } from "../queue/with-move.ts";

/** An area at home, and a cache that diverged from it a moment ago. */
export interface Divergence {
  home: SampleArea;
  /** The divergent cache. */
  divergent: string;
  /** Its ref. */
  base: string;
}

export function divergence(
  home = newArea({ runs: 4, testsPerRun: 3, inFlight: 0, unsynced: false }),
): Divergence {
  const [divergent, base] = [join(home.directory, "stray.db"), join(home.directory, "stray-ref.db")];
  copyFileSync(home.cacheDb, divergent);
  copyFileSync(home.refDb, base);
  return { home, divergent, base };
}

export function writeTo(file: string, sql: string): void {
  openToWrite(file, (db) => db.exec(sql));
}

/**
 * Merges twice, as a job does after one that was killed; the second finds nothing to merge.
 *
 * @returns what the first did
 */
export async function mergeDivergent({ home, divergent, base }: Divergence, { withBase = true } = {}) {
  settleTimes(home);
  return withMove(home, async (session) => {
    const files = { session, divergent, base: withBase ? base : undefined };
    const first = await mergeCache(files);
    expect((await mergeCache(files)).merged).toBe(0);
    return first;
  });
}

/** Returns the first value of a query in the home's cache, its ref and megatest.db. */
export const everywhereAtHome = (home: SampleArea, sql: string) =>
  [home.cacheDb, home.refDb, home.megatestDb].map((file) => readColumn(file, sql)[0]);

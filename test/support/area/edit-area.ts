import { existsSync, utimesSync } from "node:fs";
import Database from "better-sqlite3";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";

/** A database of an area by its role. */
export type Place = "cache" | "ref" | "area";

export const everywhere: readonly Place[] = ["cache", "ref", "area"];

export function fileOf(area: SampleArea, place: Place): string {
  return { cache: area.cacheDb, ref: area.refDb, area: area.megatestDb }[place];
}

/**
 * Runs `change` in a transaction on each existing database of `places`, then sets the files' times so that no
 * refill is due and no sync waits.
 */
export function edit(
  area: SampleArea,
  places: readonly Place[],
  change: (db: Database.Database, place: Place) => unknown,
): void {
  for (const place of places) {
    const file = fileOf(area, place);
    if (!existsSync(file)) continue;
    const db = new Database(file);
    try {
      db.pragma("foreign_keys = OFF");
      db.pragma("synchronous = OFF");
      db.transaction(() => void change(db, place))();
    } finally {
      db.close();
    }
  }
  settleTimes(area);
}

/** Makes the cache the newest file; megatest.db was modified a minute ago. */
export function settleTimes(area: SampleArea): void {
  setTimes(area, 60, 0);
}

/** Makes megatest.db a minute newer than the cache: Megatest refills the cache when it next opens it. */
export function makeRefillDue(area: SampleArea): void {
  setTimes(area, 60, 120);
}

function setTimes(area: SampleArea, areaAge: number, cacheAge: number): void {
  const present = Date.now() / 1000;
  const touch = (file: string, age: number) => {
    if (existsSync(file)) utimesSync(file, present - age, present - age);
  };
  touch(area.megatestDb, areaAge);
  touch(area.refDb, Math.max(areaAge, cacheAge));
  touch(area.cacheDb, cacheAge);
}

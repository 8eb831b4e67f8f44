import type { FoundArea } from "../contract/area.ts";
import type { FoundRun, Search } from "../contract/totals.ts";
import { BoundedList } from "./bounded.ts";
import { browseRuns } from "./browse-runs.ts";
import type { Reading } from "./reading.ts";

export type SearchedArea = Pick<FoundArea, "area" | "areaId">;

export interface RunSearch {
  /** In this order, until the time is over. */
  areas: readonly SearchedArea[];
  /** A part of the run's name. */
  text: string;
  limit: number;
  milliseconds: number;
}

const runsOfArea = 5;
const listBytes = 120_000;

/** Finds runs by a part of their name, the newest of each area. Stops when its time is over or it has enough. */
export async function searchRuns(
  { areas, text, limit, milliseconds }: RunSearch,
  reading: Reading,
): Promise<NonNullable<Search["runs"]>> {
  const deadline = performance.now() + milliseconds;
  const list = new BoundedList<FoundRun>(listBytes);
  // A comma would separate two patterns; `_` matches any character.
  const runname = `%${text.replaceAll(",", "_")}%`;
  let [searched, unreadable, complete] = [0, 0, true];
  for (const { area, areaId } of areas) {
    if (performance.now() > deadline || list.rows.length >= limit) break;
    searched++;
    try {
      const page = await browseRuns(area, { runname, limit: runsOfArea }, reading);
      complete &&= page.next === null;
      for (const { id, target, runname: name, begunAt, where } of page.runs)
        if (!list.add({ area, areaId, id, target, runname: name, begunAt, where })) complete = false;
    } catch {
      unreadable++; // busy, or removed since it was found
      complete = false;
    }
  }
  const rows = list.rows.slice(0, limit);
  return {
    list: rows,
    complete: complete && searched === areas.length && rows.length === list.rows.length,
    ...{ searched, total: areas.length, unreadable },
  };
}

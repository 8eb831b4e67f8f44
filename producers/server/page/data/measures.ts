import type { AreaMeasures, ListedMeasure } from "../../../contract/totals.ts";
import { Resource } from "./resource.ts";
import { state } from "./state.ts";

/** The server reads them every 30 s, and gains more rarely. */
const measures = new Resource<AreaMeasures>({ freshFor: 30_000, followsJobs: false });
let known: { of: AreaMeasures | undefined; byPath: Map<string, ListedMeasure> } = {
  of: undefined,
  byPath: new Map(),
};

/** Returns what is known of all areas, by path; empty until it was read. */
export function measuresByPath(): ReadonlyMap<string, ListedMeasure> {
  const { value } = measures.want("areas/measures");
  if (value !== undefined && value !== known.of)
    known = { of: value, byPath: new Map(value.areas.map((area) => [area.area, area])) };
  return known.byPath;
}

/** What areas are sorted by. */
export const orders = {
  "": "name and path",
  size: "size of megatest.db",
  growth: "growth",
  gain: "gain of a reduce",
  age: "oldest run",
  trouble: "trouble",
} as const;
export type Order = keyof typeof orders;

export const isOrder = (text: string): text is Order => text in orders;

/** Returns the number by which an area comes earlier; undefined if it is unknown: such areas come last. */
export function rankOf(order: Order, area: { area: string; problem: string | null }): number | undefined {
  const measure = measuresByPath().get(area.area);
  if (order === "trouble") {
    const failing = state.fleet?.automatic.filter((each) => !each.ok && each.area === area.area).length ?? 0;
    return (area.problem === null ? 0 : 1000) + failing + (measure?.failed.length ?? 0);
  }
  const ranks = {
    "": undefined,
    size: measure?.bytes["megatest.db"],
    growth: measure?.growthBytesPerWeek,
    gain: measure?.gainBytes,
    age: measure?.oldestRunAt == null ? undefined : -measure.oldestRunAt,
  };
  return ranks[order] ?? undefined;
}

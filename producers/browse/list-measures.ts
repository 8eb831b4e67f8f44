import type { AreaMeasure } from "../areas/measure-areas.ts";
import type { AreaMeasures, ListedMeasure } from "../contract/totals.ts";
import type { AreaGain } from "./area-gains.ts";
import type { AreaTotal } from "./area-totals.ts";
import { BoundedList } from "./bounded.ts";

/** Bytes of the list as JSON: about 1,000 areas. */
const listBytes = 280_000;

/** Puts together what areas are sorted by, as many as fit. */
export function listMeasures(
  measures: readonly (AreaMeasure & AreaTotal)[],
  gains: ReadonlyMap<string, AreaGain>,
): AreaMeasures {
  const list = new BoundedList<ListedMeasure>(listBytes);
  const complete = measures.every(({ area, bytes, runs, savedBytes, oldestRunAt, jobs }) => {
    const { movable, growthBytesPerWeek } = gains.get(area) ?? {};
    return list.add({
      ...{ area, bytes, runs, savedBytes, oldestRunAt },
      gainBytes: movable?.bytes ?? null,
      gainRuns: movable?.runs ?? null,
      growthBytesPerWeek: growthBytesPerWeek ?? null,
      failed: Object.entries(jobs).flatMap(([job, { failed }]) => (failed ? [job] : [])),
    });
  });
  return { areas: list.rows, complete };
}

import type { MoveResult } from "../../shared/contract/move-result.ts";
import type { Diagnosis } from "../contract/area.ts";
import { requester } from "../jobs/check-move.ts";
import type { RepairRequest } from "../jobs/run-inline.ts";
import { type DoctorPlace, diagnose } from "./diagnose.ts";

export interface Examination extends Diagnosis {
  /** The repair's result; null if no job has ever worked on the area, so that there is nothing to repair. */
  repair?: MoveResult | null;
}

/**
 * Checks an area. With `repair`, and if a job has ever worked on the area, repairs it and checks it again.
 *
 * @throws {JobsError} as `diagnose`, and what `repair` throws
 */
export async function diagnoseAndRepair(
  path: string,
  place: DoctorPlace,
  repair?: (request: RepairRequest) => Promise<MoveResult>,
): Promise<Examination> {
  const first = await diagnose(path, place);
  if (repair === undefined) return first;
  if (!hasWorked(first)) return { ...first, repair: null };
  const result = await repair({ area: first.area, requestedBy: requester(place.settings) });
  return { ...(await diagnose(path, place)), repair: result };
}

/** completed-runs.db is the first file that a job creates. */
function hasWorked({ checks }: Diagnosis): boolean {
  return checks.some(({ name }) => name === "integrity/completed-runs.db");
}

import type { MoveResult } from "../../shared/result.ts";
import type { Settings } from "../../shared/settings.ts";
import { requester } from "../move-request.ts";
import type { RepairRequest } from "../run-inline.ts";
import { type Diagnosis, diagnose } from "./doctor.ts";

/** A diagnosis, after a repair where one was asked for. */
export interface Examination extends Diagnosis {
  /** What the repair did; null where no job ever worked on the area: there is nothing to mend, and nothing is made. */
  repair?: MoveResult | null;
}

/**
 * Looks at an area; with `mend`, has it mended where a job ever worked on it, and looks again.
 *
 * @throws {JobsError} as `diagnose`, and what `mend` throws
 */
export async function examine(
  path: string,
  place: { settings: Settings; cwd: string; env: NodeJS.ProcessEnv },
  mend?: (request: RepairRequest) => Promise<MoveResult>,
): Promise<Examination> {
  const first = await diagnose(path, place);
  if (mend === undefined) return first;
  if (!hasWorked(first)) return { ...first, repair: null };
  const repair = await mend({ area: first.area, requestedBy: requester(place.settings) });
  return { ...(await diagnose(path, place)), repair };
}

/** completed-runs.db is the first thing that a job makes. */
function hasWorked({ checks }: Diagnosis): boolean {
  return checks.some(({ name }) => name === "integrity/completed-runs.db");
}

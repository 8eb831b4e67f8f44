import { openAreaToLook } from "../../shared/area/area.ts";
import { readAreaId } from "../../shared/area/area-id.ts";
import type { Settings } from "../../shared/settings.ts";
import { areaPath } from "../area-path.ts";
import { checkCaches } from "./caches.ts";
import type { Check } from "./check.ts";
import { checkFitness } from "./fitness.ts";
import { checkIntegrity } from "./integrity.ts";
import { checkJournals } from "./journals.ts";
import { checkLeftovers } from "./leftovers.ts";
import { checkMigrations } from "./migrations.ts";
import { meet } from "./patient.ts";
import { checkPlace } from "./place.ts";
import { checkRecords } from "./records.ts";
import { Budget } from "./scan.ts";

/** What `doctor AREA` tells. */
export interface Diagnosis {
  /** Absolute, as given. */
  area: string;
  areaId: string | null;
  /** False where a check found a fault; what could not be told is none. */
  ok: boolean;
  checks: Check[];
}

/**
 * Looks at everything of an area that a job relies on, and changes no byte. What is broken becomes a verdict.
 *
 * @throws {JobsError} `not-an-area`, `outside-roots` or `bad-config` where it is no area to begin with
 */
export async function diagnose(
  path: string,
  { settings, cwd, env }: { settings: Settings; cwd: string; env: NodeJS.ProcessEnv },
): Promise<Diagnosis> {
  const area = openAreaToLook(areaPath(cwd, path), settings, env);
  const patient = await meet(area, settings);
  const budget = new Budget();
  const checks = [
    ...(await checkPlace(patient)),
    ...(await checkCaches(patient)),
    ...(await checkJournals(patient)),
    ...(await checkLeftovers(patient)),
    ...(await checkMigrations(patient)),
    ...(await checkFitness(patient)),
    ...(await checkRecords(patient, budget)),
    ...(await checkIntegrity(patient, budget)),
  ];
  return { area: area.path, areaId: idOf(area), ok: !checks.some(({ ok }) => ok === false), checks };
}

function idOf(area: Parameters<typeof readAreaId>[0]): string | null {
  try {
    return readAreaId(area);
  } catch {
    return null; // its check says why
  }
}

import type { Diagnosis, FoundAreas } from "../contract/area.ts";
import { refused } from "./checks/check.ts";
import { type DoctorPlace, diagnose } from "./diagnose.ts";

/** The result of `doctor` over several areas. */
export interface ManyDiagnoses {
  areas: Diagnosis[];
  /** What could not be scanned. */
  warnings: string[];
}

/** Checks areas one after the other. An area that cannot be used at all has that as its one fault. */
export async function diagnoseMany(
  { areas, warnings }: FoundAreas,
  place: DoctorPlace,
): Promise<ManyDiagnoses> {
  const diagnoses: Diagnosis[] = [];
  for (const { area, areaId } of areas) {
    const diagnosis = await diagnose(area, place).catch((error: unknown) => ({
      area,
      areaId,
      ok: false,
      checks: [refused("config", error)],
    }));
    diagnoses.push(diagnosis);
  }
  return { areas: diagnoses, warnings };
}

import { openAllowedArea } from "../../shared/area/area.ts";
import { readAreaId } from "../../shared/area/area-id.ts";
import { readHomehost } from "../../shared/area/homehost.ts";
import { listAreas } from "../../shared/area/list-areas.ts";
import { toJobsError } from "../../shared/errors.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import type { FoundArea, FoundAreas } from "../contract/area.ts";

/** Returns all areas below `settings.areas`, by path, as workers find them. Read-only; opens no database. */
export function findAreas(settings: Pick<Settings, "areas">, env: NodeJS.ProcessEnv): FoundAreas {
  const warnings: string[] = [];
  const paths = [...listAreas(settings.areas, { warn: (sentence) => warnings.push(sentence) })];
  return { areas: paths.sort().map((path) => describe(path, settings, env)), warnings };
}

function describe(path: string, settings: Pick<Settings, "areas">, env: NodeJS.ProcessEnv): FoundArea {
  try {
    const area = openAllowedArea(path, settings, env);
    const homehost = readHomehost(area).value ?? null;
    return { area: path, areaId: readAreaId(area), name: area.name, homehost, problem: null };
  } catch (error) {
    return { area: path, areaId: null, name: null, homehost: null, problem: toJobsError(error).message };
  }
}

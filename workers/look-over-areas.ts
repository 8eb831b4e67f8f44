import { openAllowedArea } from "../shared/area/area.ts";
import { decideHome, readHomehost } from "../shared/area/homehost.ts";
import { listAreas } from "../shared/area/list-areas.ts";
import { type ReducePolicies, readPolicies } from "../shared/area/reduce-policies.ts";
import { toJobsError } from "../shared/errors.ts";
import type { Settings } from "../shared/settings.ts";

/** An area at home here, and what its config asks for. */
export interface AreaPolicies extends ReducePolicies {
  area: string;
}

/** The areas whose config asks for something, and sentences about what could not be looked at. */
export interface AreasLook {
  areas: AreaPolicies[];
  warnings: string[];
}

/**
 * Looks over the areas below the roots for `[reduce-records]`, in a thread of its own: a file system may hang. An area
 * without a homehost is nobody's, and left alone.
 */
export async function lookOverAreas(settings: Settings, env: NodeJS.ProcessEnv): Promise<AreasLook> {
  const look: AreasLook = { areas: [], warnings: [] };
  const warn = (sentence: string) => void look.warnings.push(sentence);
  for (const path of listAreas(settings.areas, { warn })) {
    try {
      const area = openAllowedArea(path, settings, env);
      const found = readPolicies(area.config);
      if (found.policies.length + found.problems.length === 0) continue;
      if ((await decideHome(readHomehost(area), settings)).atHome === true)
        look.areas.push({ area: path, ...found });
    } catch (error) {
      warn(`${path}: ${toJobsError(error).message}`);
    }
  }
  return look;
}

import { openAllowedArea } from "../../shared/area/area.ts";
import { type Policies, readPolicies } from "../../shared/area/config/policies.ts";
import { decideHome, readHomehost } from "../../shared/area/homehost.ts";
import { listAreas } from "../../shared/area/list-areas.ts";
import { toJobsError } from "../../shared/errors.ts";
import type { Settings } from "../../shared/settings/settings.ts";

/** An area at home on this host, and what its config asks for. */
export interface AreaPolicies extends Policies {
  area: string;
}

/** Areas whose config asks for something, and warnings about those that cannot be read. */
export interface PolicyScan {
  areas: AreaPolicies[];
  warnings: string[];
}

const both = (a: Policies, b: Policies): Policies => ({
  policies: [...a.policies, ...b.policies],
  problems: [...a.problems, ...b.problems],
});

/**
 * Scans the areas below the roots for `[reduce-records]` and `[purge-records]`, in its own thread because a file system may hang. Skips
 * areas without a homehost.
 */
export async function scanPolicies(settings: Settings, env: NodeJS.ProcessEnv): Promise<PolicyScan> {
  const scan: PolicyScan = { areas: [], warnings: [] };
  const warn = (sentence: string) => void scan.warnings.push(sentence);
  for (const path of listAreas(settings.areas, { warn })) {
    try {
      const area = openAllowedArea(path, settings, env);
      const found = both(readPolicies(area.config), readPolicies(area.config, "purge"));
      if (found.policies.length + found.problems.length === 0) continue;
      if ((await decideHome(readHomehost(area), settings)).atHome === true)
        scan.areas.push({ area: path, ...found });
    } catch (error) {
      warn(`${path}: ${toJobsError(error).message}`);
    }
  }
  return scan;
}

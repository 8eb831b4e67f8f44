import { openAllowedArea } from "../../shared/area/area.ts";
import { readAreaId } from "../../shared/area/area-id.ts";
import { decideHome, readHomehost } from "../../shared/area/homehost.ts";
import type { Settings } from "../../shared/settings/settings.ts";

/** Where a job's area lives, read before anything is locked or changed. */
export interface AreaLocation {
  realPath: string;
  /** null if the area has no id yet. */
  areaId: string | null;
  /** The homehost if it is another host; undefined if this host is, or none is set. */
  elsewhere: string | undefined;
}

/** Reads without changing anything; rejects as `openArea` and `readHomehost` do. `env`: for the area's config. */
export async function locateArea(
  path: string,
  settings: Settings,
  env: NodeJS.ProcessEnv,
): Promise<AreaLocation> {
  const area = openAllowedArea(path, settings, env);
  const homehost = readHomehost(area);
  const { atHome } = await decideHome(homehost, settings);
  return {
    realPath: area.realPath,
    areaId: readAreaId(area) ?? null,
    elsewhere: atHome === false ? homehost.value : undefined,
  };
}

import { openAllowedArea } from "../shared/area/area.ts";
import { readAreaId } from "../shared/area/area-id.ts";
import { decideHome, readHomehost } from "../shared/area/homehost.ts";
import type { Settings } from "../shared/settings.ts";

/** Where a job's area lives, before anything of it is locked or touched. */
export interface AreaPlace {
  realPath: string;
  /** null where the area has none yet. */
  areaId: string | null;
  /** The other host that is its homehost; undefined: this host is, or none was written into it yet. */
  elsewhere: string | undefined;
}

/** Looks without changing anything; rejects as `openArea` and `readHomehost` do. `env`: what its config may read. */
export async function locateArea(
  path: string,
  settings: Settings,
  env: NodeJS.ProcessEnv,
): Promise<AreaPlace> {
  const area = openAllowedArea(path, settings, env);
  const homehost = readHomehost(area);
  const { atHome } = await decideHome(homehost, settings);
  return {
    realPath: area.realPath,
    areaId: readAreaId(area) ?? null,
    elsewhere: atHome === false ? homehost.value : undefined,
  };
}

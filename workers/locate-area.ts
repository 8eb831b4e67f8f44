import { openArea } from "../shared/area/area.ts";
import { readBounded } from "../shared/area/read-bounded.ts";
import { systemCode } from "../shared/area/system-code.ts";
import type { Settings } from "../shared/settings.ts";

/** Where a job's area lives, before anything of it is locked or touched. */
export interface AreaPlace {
  realPath: string;
  /** null where the area has none yet. */
  areaId: string | null;
  /** null where no host was written into it yet. */
  homehost: string | null;
  atHome: boolean;
}

/** Looks without changing anything; rejects as `openArea` does. */
export function locateArea(path: string, settings: Settings): AreaPlace {
  const area = openArea(path, { roots: settings.areas });
  let homehost: string | null = null;
  try {
    homehost = readBounded(area.homehostFile, { maxBytes: 4096, code: "bad-config" }).trim() || null;
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
  const atHome = homehost === settings.host || homehost === settings.address;
  return { realPath: area.realPath, areaId: null, homehost, atHome };
}

import { existsSync } from "node:fs";
import type { Area } from "../../../shared/area/area.ts";
import { type CachePair, findCache } from "../../../shared/area/cache/cache.ts";
import { decideHome, type HomeDecision, type Homehost, readHomehost } from "../../../shared/area/homehost.ts";
import { liveServers } from "../../../shared/area/servers.ts";
import type { MegatestServer } from "../../../shared/contract/area-facts.ts";
import { defined } from "../../../shared/defined.ts";
import { JobsError, toJobsError } from "../../../shared/errors.ts";
import type { Settings } from "../../../shared/settings/settings.ts";
import type { Part } from "../../../shared/sqlite/connection.ts";

/** The shared input of an area's checks. A member that could not be determined holds the reason. */
export interface DoctorContext {
  area: Area;
  settings: Settings;
  /** False for a server, which never works on an area. */
  worksHere: boolean;
  homehost: Homehost | JobsError;
  home: HomeDecision;
  /** This user's cache on this host; undefined if there is none, or if this is not the homehost. */
  cache: CachePair | undefined | JobsError;
  servers: MegatestServer[] | string;
  /** The existing databases, by part. */
  files: Partial<Record<Part, string>>;
}

/** The databases' names in verdicts and check names. */
export const nameOf: Record<Part, string> = {
  area: "megatest.db",
  completed: "completed-runs.db",
  cache: "cache/megatest.db",
  ref: "cache/megatest_ref.db",
};

export async function loadContext(
  area: Area,
  settings: Settings,
  worksHere: boolean,
): Promise<DoctorContext> {
  const homehost = tryRead(() => readHomehost(area));
  const home =
    homehost instanceof JobsError
      ? { atHome: undefined, reason: homehost.message }
      : await decideHome(homehost, settings);
  const cache = home.atHome === false ? undefined : tryRead(() => findCache(area, settings));
  const pair = cache instanceof JobsError ? undefined : cache;
  return {
    area,
    settings,
    worksHere,
    homehost,
    home,
    cache,
    servers: attempt(() => liveServers(area, Date.now(), settings.host)),
    files: defined({
      area: area.megatestDb,
      completed: existsSync(area.completedDb) ? area.completedDb : undefined,
      cache: pair?.megatestDb,
      ref: pair?.refDb,
    }),
  };
}

function tryRead<T>(read: () => T): T | JobsError {
  try {
    return read();
  } catch (error) {
    return toJobsError(error);
  }
}

function attempt<T>(read: () => T): T | string {
  try {
    return read();
  } catch (error) {
    return toJobsError(error).message;
  }
}

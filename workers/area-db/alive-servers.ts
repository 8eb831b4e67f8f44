import type { Area } from "../../shared/area/area.ts";
import { clockSkewMs } from "../../shared/area/cache/mtime.ts";
import { liveServers } from "../../shared/area/servers.ts";
import type { MegatestServer } from "../../shared/contract/area-facts.ts";

/**
 * Returns Megatest's servers that may be alive, by the clock of the area's file system, which sets the times of their
 * logs.
 *
 * @param skewMs how far that clock is ahead of this host's; measuring creates `.mtjobs`, so a dry run passes 0
 */
export function aliveServers(area: Area, host: string, skewMs = clockSkewMs(area)): MegatestServer[] {
  return liveServers(area, Date.now() + skewMs, host).filter(({ state }) => state !== "stale");
}

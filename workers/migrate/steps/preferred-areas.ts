import type { Area } from "../../../shared/area/area.ts";
import { newestMtimeMs } from "../../../shared/area/cache/mtime.ts";
import { type HomePolicy, homePolicy, wantsArea } from "../../../shared/area/config/home-policy.ts";
import { hostAddress, readHomehost } from "../../../shared/area/homehost.ts";
import { liveServers } from "../../../shared/area/servers.ts";
import type { MigrationRow } from "../../../shared/contract/migration-row.ts";
import { msSince } from "../../../shared/time/elapsed.ts";
import type { JobContext } from "../../area-db/job-context.ts";

/** A preferred area of this host, as far as known without other hosts. Plain JSON. */
export interface PreferredArea {
  area: string;
  home: string;
  self: string[];
  policy: HomePolicy;
  /** Undefined if there was none. */
  sinceLastMs: number | undefined;
}

/**
 * Returns the area if its policy prefers this host and megatest.db looks quiet; the migration checks the cache.
 * `lastOf` is called only if the config wants a move, so that other areas' databases are not opened.
 */
export async function preferredArea(
  area: Area,
  lastOf: () => Promise<Pick<MigrationRow, "state" | "changed_at"> | undefined>,
  { settings }: Pick<JobContext, "settings">,
): Promise<PreferredArea | undefined> {
  const policy = homePolicy(area.config);
  if (policy.migrate !== "auto") return undefined;
  const { value: home } = readHomehost(area);
  const address = await hostAddress(settings).catch(() => undefined);
  const self = [settings.host, ...(address === undefined ? [] : [address])];
  const now = Date.now();
  if (home === undefined || !wantsArea(policy, [home], self, undefined) || !looksQuiet(area, policy, now))
    return undefined;
  const last = await lastOf();
  if (last !== undefined && last.state !== "settled" && last.state !== "undone") return undefined;
  // Also an undone one, so that a failure is not retried every ten minutes.
  const sinceLastMs = last === undefined ? undefined : msSince(last.changed_at, now);
  const wanted = wantsArea(policy, [home], self, sinceLastMs);
  return wanted ? { area: area.path, home, self, policy, sinceLastMs } : undefined;
}

function looksQuiet(area: Area, { quietForMs }: HomePolicy, now: number): boolean {
  const changed = newestMtimeMs(area.realPath, "megatest.db") ?? 0;
  return now - changed >= quietForMs && !liveServers(area, now).some(({ state }) => state === "live");
}

import type { Area } from "../../shared/area/area.ts";
import { type HomePolicy, homePolicy, wantsArea } from "../../shared/area/home-policy.ts";
import { hostAddress, readHomehost } from "../../shared/area/homehost.ts";
import { newestMtimeMs } from "../../shared/area/mtime.ts";
import { liveServers } from "../../shared/area/servers.ts";
import { msSince } from "../../shared/elapsed.ts";
import type { JobContext } from "../../shared/job-context.ts";
import type { MigrationRow } from "../../shared/migration-row.ts";

/** An area that its policy wants on this host, as far as can be told without knowing the other hosts. Plain JSON. */
export interface Wish {
  /** By the path under which it was found. */
  area: string;
  /** What `.homehost` holds. */
  home: string;
  /** By which names this host goes. */
  self: string[];
  policy: HomePolicy;
  /** Ms since the last migration; undefined: there was none. */
  sinceLastMs: number | undefined;
}

/**
 * Whether this host should ask for the area by itself. From here only megatest.db shows that it is quiet: the migration
 * looks at the cache. `lastOf` gives the area's last migration; it is asked only where the config wants a move, so that
 * no other area's database is opened.
 */
export async function wishFor(
  area: Area,
  lastOf: () => Promise<Pick<MigrationRow, "state" | "changed_at"> | undefined>,
  { settings }: Pick<JobContext, "settings">,
): Promise<Wish | undefined> {
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
  // One that was undone counts, too: what failed is not tried again every ten minutes.
  const sinceLastMs = last === undefined ? undefined : msSince(last.changed_at, now);
  const wanted = wantsArea(policy, [home], self, sinceLastMs);
  return wanted ? { area: area.path, home, self, policy, sinceLastMs } : undefined;
}

function looksQuiet(area: Area, { quietForMs }: HomePolicy, now: number): boolean {
  const changed = newestMtimeMs(area.realPath, "megatest.db") ?? 0;
  return now - changed >= quietForMs && !liveServers(area, now).some(({ state }) => state === "live");
}

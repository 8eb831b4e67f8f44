import { reachableAddress } from "../shared/area/homehost.ts";
import type { HostRecord } from "../shared/queue/hosts.ts";
import type { Settings } from "../shared/settings.ts";
import { ownVersion } from "../shared/version.ts";

/** Returns what this process announces to the other hosts. */
export async function hostRecord(settings: Settings): Promise<HostRecord> {
  return {
    host: settings.host,
    // A host without an address can still be named in .homehost.
    address: await reachableAddress(settings).catch(() => null),
    version: ownVersion(),
    pid: process.pid,
    user: settings.user,
    cacheRoot: settings.cacheRoot,
    areas: settings.areas,
    startedAt: new Date().toISOString(),
  };
}

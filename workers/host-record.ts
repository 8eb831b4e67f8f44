import { readFileSync } from "node:fs";
import { reachableAddress } from "../shared/area/homehost.ts";
import type { HostRecord } from "../shared/queue/hosts.ts";
import type { Settings } from "../shared/settings.ts";

/** Returns this program's version, from its package.json. */
export function ownVersion(): string {
  // One level up from the source, two from the built file in dist/.
  const up = import.meta.url.endsWith(".ts") ? "../package.json" : "../../package.json";
  const { version } = JSON.parse(readFileSync(new URL(up, import.meta.url), "utf8")) as { version: string };
  return version;
}

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

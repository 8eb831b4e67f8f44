import type { Area } from "../../shared/area/area.ts";
import { newestMtimeMs } from "../../shared/area/mtime.ts";
import { liveServers, spanText } from "../../shared/area/servers.ts";
import type { MigrateCheck } from "../../shared/migrate-result.ts";
import { failed, passed } from "./refusal.ts";

/** A home with activity this recent is not lost, ms. */
export const silenceMs = 5 * 60_000;

/** Checks for a recently changed server log or megatest.db. */
export function signsOfLife(area: Area, now = Date.now()): MigrateCheck {
  const changedAt = newestMtimeMs(area.realPath, "megatest.db") ?? 0;
  const touched = liveServers(area, now)[0]?.logMtimeMs ?? 0;
  const signs = [
    ...(now - changedAt < silenceMs ? [`megatest.db ${whenText("changed", now - changedAt)}`] : []),
    ...(now - touched < silenceMs ? [`a Megatest server's log ${whenText("changed", now - touched)}`] : []),
  ];
  return signs.length === 0
    ? passed("signs-of-life", "neither megatest.db nor a server's log has changed for 5 minutes")
    : failed("signs-of-life", signs.join(", and "));
}

/** Tolerated clock difference, ms. */
const clockMs = 16_000;

const whenText = (did: string, ms: number) =>
  ms < -clockMs
    ? `is dated ${spanText(-ms)} in the future: set its time (touch) if no process writes to it`
    : `${did} ${Math.max(0, Math.round(ms / 1000))} s ago`;

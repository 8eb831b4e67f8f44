import type { Area } from "../../shared/area/area.ts";
import { clockSkewMs } from "../../shared/area/mtime.ts";
import { liveServers, type MegatestServer } from "../../shared/area/servers.ts";
import type { Move } from "./move.ts";

/** Tests looked at in one statement. */
const chunk = 20_000;

/**
 * Megatest's servers that may be alive, by the clock of the area's file system: it sets the times of their logs.
 *
 * @param skewMs how far that is ahead of this host's; looking creates `.mtjobs`, so a dry run says 0
 */
export function aliveServers(area: Area, host: string, skewMs = clockSkewMs(area)): MegatestServer[] {
  return liveServers(area, Date.now() + skewMs, host).filter(({ state }) => state !== "stale");
}

/** Why the area is not quiet: a live server, or a test in flight; undefined where it is. */
export function quietReason(move: Move, area: Area): string | undefined {
  const [server] = aliveServers(area, move.context.settings.host);
  if (server !== undefined) return `a Megatest server is alive (pid ${server.pid} on ${server.host})`;
  return isAnythingInFlight(move) ? "tests are in flight" : undefined;
}

/** True where a test gave a sign of life within a day and has not ended. */
function isAnythingInFlight({ db, fresh }: Move): boolean {
  const last = db
    .prepare<[number], number | null>(
      `SELECT max(id) FROM (SELECT id FROM ${fresh}.tests WHERE id > ? ORDER BY id LIMIT ${chunk})`,
    )
    .pluck();
  const found = db
    .prepare<{ from: number; to: number; since: number }, number>(
      `SELECT EXISTS (SELECT 1 FROM ${fresh}.tests AS t WHERE t.id > :from AND t.id <= :to
         AND t.state IN ('RUNNING', 'LAUNCHED', 'REMOTEHOSTSTART')
         AND coalesce(CAST(t.event_time AS INTEGER), 0) + max(0, coalesce(CAST(t.run_duration AS INTEGER), 0)) > :since)`,
    )
    .pluck();
  const since = Date.now() / 1000 - 24 * 3600;
  let from = Number.MIN_SAFE_INTEGER;
  for (let to = last.get(from) ?? null; to !== null; to = last.get(from) ?? null) {
    if (found.get({ from, to, since }) === 1) return true;
    from = to;
  }
  return false;
}

import type { Area } from "../../shared/area/area.ts";
import { clockSkewMs } from "../../shared/area/mtime.ts";
import { liveServers, type MegatestServer, serverText } from "../../shared/area/servers.ts";
import { prepared } from "../../shared/sqlite/connection.ts";
import { lifeOf } from "../../shared/sqlite/times.ts";
import type { JobSession } from "./move.ts";

/** Tests read in one statement. */
const chunk = 20_000;

/**
 * Returns Megatest's servers that may be alive, by the clock of the area's file system, which sets the times of their
 * logs.
 *
 * @param skewMs how far that clock is ahead of this host's; measuring creates `.mtjobs`, so a dry run passes 0
 */
export function aliveServers(area: Area, host: string, skewMs = clockSkewMs(area)): MegatestServer[] {
  return liveServers(area, Date.now() + skewMs, host).filter(({ state }) => state !== "stale");
}

/** Returns why the area is not quiet (a live server, or a test in flight), or undefined. */
export async function quietReason(session: JobSession): Promise<string | undefined> {
  const [server] = aliveServers(session.area, session.context.settings.host);
  if (server !== undefined) return `a Megatest server is alive (${serverText(server)})`;
  return (await isAnythingInFlight(session)) ? "tests are in flight" : undefined;
}

/** Returns true if an unfinished test was active within a day. */
async function isAnythingInFlight(session: JobSession): Promise<boolean> {
  const { db, fresh } = session;
  const found = () =>
    prepared<{ from: bigint; to: bigint; since: number }, number>(
      db,
      `SELECT EXISTS (SELECT 1 FROM ${fresh}.tests AS t WHERE t.id BETWEEN :from AND :to
       AND t.state IN ('RUNNING', 'LAUNCHED', 'REMOTEHOSTSTART')
       AND ${lifeOf("t")} > :since)`,
    ).pluck();
  const since = Date.now() / 1000 - 24 * 3600;
  for await (const [from, to] of session.idRanges(`${fresh}.tests`, chunk)) {
    if ((await session.read(() => found().get({ from, to, since }))) === 1) return true;
  }
  return false;
}

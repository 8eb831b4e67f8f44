import type { Area } from "../../shared/area/area.ts";
import { clockSkewMs } from "../../shared/area/mtime.ts";
import { liveServers, type MegatestServer, serverText } from "../../shared/area/servers.ts";
import { prepared } from "../../shared/sqlite/connection.ts";
import { lastOfNext, preparedIds, walkIds } from "../../shared/sqlite/ids.ts";
import { lifeOf } from "../../shared/sqlite/times.ts";
import type { Move } from "./move.ts";
import { outwaitBusy } from "./transaction.ts";

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
export async function quietReason(move: Move, area: Area): Promise<string | undefined> {
  const [server] = aliveServers(area, move.context.settings.host);
  if (server !== undefined) return `a Megatest server is alive (${serverText(server)})`;
  return (await isAnythingInFlight(move)) ? "tests are in flight" : undefined;
}

/** Returns true if an unfinished test was active within a day. */
async function isAnythingInFlight({ db, fresh, context }: Move): Promise<boolean> {
  const { signal } = context;
  const last = () => preparedIds<[bigint], bigint | null>(db, lastOfNext(`${fresh}.tests`, chunk));
  const found = () =>
    prepared<{ from: bigint; to: bigint; since: number }, number>(
      db,
      `SELECT EXISTS (SELECT 1 FROM ${fresh}.tests AS t WHERE t.id BETWEEN :from AND :to
       AND t.state IN ('RUNNING', 'LAUNCHED', 'REMOTEHOSTSTART')
       AND ${lifeOf("t")} > :since)`,
    ).pluck();
  const since = Date.now() / 1000 - 24 * 3600;
  for await (const [from, to] of walkIds(signal, (next) => outwaitBusy(signal, () => last().get(next)))) {
    if ((await outwaitBusy(signal, () => found().get({ from, to, since }))) === 1) return true;
  }
  return false;
}

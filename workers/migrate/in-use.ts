import { statSync } from "node:fs";
import type { Area } from "../../shared/area/area.ts";
import type { CachePair } from "../../shared/area/cache.ts";
import { openFiles } from "../../shared/area/open-files.ts";
import { type MegatestServer, serverText } from "../../shared/area/servers.ts";
import type { MigrateCheck } from "../../shared/migrate-result.ts";
import type { Settings } from "../../shared/settings.ts";
import { aliveServers } from "../move/quiet.ts";

/**
 * Check `servers`: whether a Megatest server of the area may be alive on any host.
 *
 * @param skewMs see aliveServers
 * @param stopped servers just stopped, whose logs look recent
 */
export function serverChecks(
  area: Area,
  settings: Settings,
  skewMs = 0,
  stopped: readonly { host: string; pid: number }[] = [],
): MigrateCheck {
  const isStopped = (server: MegatestServer) =>
    stopped.some(({ host, pid }) => host === server.host && pid === server.pid);
  return describeServers(aliveServers(area, settings.host, skewMs).filter((server) => !isStopped(server)));
}

export function describeServers(alive: readonly MegatestServer[]): MigrateCheck {
  const servers = alive.map(({ host, pid, state, aheadMs }) => ({
    ...{ host, pid, state },
    ...(aheadMs === undefined ? {} : { logAheadMs: Math.round(aheadMs) }),
  }));
  const names = alive.map(serverText).join("; ");
  return {
    name: "servers",
    ok: servers.length === 0,
    detail: servers.length === 0 ? "no Megatest server is alive" : `Megatest servers are alive: ${names}`,
    facts: { servers },
  };
}

/** Check `open-files`: which other local processes have the pair open. Unknown does not block a migration. */
export function openFileCheck(pair: CachePair, ownPid: number, host: string): MigrateCheck {
  const databases = [pair.megatestDb, ...(pair.refDb === undefined ? [] : [pair.refDb])];
  const open = openFiles(databases.flatMap((file) => [file, `${file}-wal`, `${file}-journal`]));
  if (open === "unknown") {
    return {
      name: "open-files",
      ok: null,
      detail: "this system does not list the open files of processes",
    };
  }
  const pids = open.pids.filter((pid) => pid !== ownPid);
  if (pids.length > 0) {
    const detail = `the cache on ${host} is open in process ${pids.join(", ")}`;
    return { name: "open-files", ok: false, detail, facts: { pids } };
  }
  const unseen = open.uninspected.filter(({ uid }) => mayWrite(databases, uid)).map(({ pid }) => pid);
  if (unseen.length === 0 && !open.othersHidden) {
    return { name: "open-files", ok: true, detail: "no other process has the cache open", facts: { pids } };
  }
  const detail = open.othersHidden
    ? "processes of other users are hidden here"
    : `cannot read the open files of ${unseen.length === 1 ? "process" : "processes"} ${unseen.join(", ")}`;
  return { name: "open-files", ok: null, detail, facts: { pids, unseen } };
}

/** Ignores readers, and root's processes, which are not Megatest clients. */
function mayWrite(files: readonly string[], uid: number): boolean {
  return files.some((file) => {
    const stat = statSync(file, { throwIfNoEntry: false });
    return stat !== undefined && (stat.uid === uid || (uid !== 0 && (stat.mode & 0o022) !== 0));
  });
}

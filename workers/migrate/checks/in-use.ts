import { existsSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import prettyBytes from "pretty-bytes";
import type { Area } from "../../../shared/area/area.ts";
import type { CachePair } from "../../../shared/area/cache/cache.ts";
import { newestMtimeMs } from "../../../shared/area/cache/mtime.ts";
import { hostUnseen, openFiles } from "../../../shared/area/cache/open-files.ts";
import { liveServers, serverText, spanText } from "../../../shared/area/servers.ts";
import type { MegatestServer } from "../../../shared/contract/area-facts.ts";
import type { MigrateCheck } from "../../../shared/contract/migrate-result.ts";
import type { Settings } from "../../../shared/settings/settings.ts";
import { aliveServers } from "../../area-db/alive-servers.ts";
import { failed, passed } from "./refusal.ts";

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
    logAheadMs: aheadMs && Math.round(aheadMs),
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
  if (unseen.length === 0 && !open.othersHidden && !open.hostHidden) {
    return { name: "open-files", ok: true, detail: "no other process has the cache open", facts: { pids } };
  }
  const detail = open.hostHidden
    ? hostUnseen
    : open.othersHidden
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

/** A home with activity this recent is not lost, ms. */
export const silenceMs = 5 * 60_000;

/**
 * Checks for a recently changed server log or megatest.db.
 *
 * @param now by the clock of the area's file system, which sets their times: by one that is ahead of it, an old home at
 *   work would pass for silent
 */
export function oldHomeActivity(area: Area, now = Date.now()): MigrateCheck {
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

/** Checks for room for a pair of `bytes`. A missing directory counts as its nearest existing parent. */
export function spaceCheck(
  name: "space-area" | "space-target",
  directory: string,
  bytes: number,
): MigrateCheck {
  let path = directory;
  while (!existsSync(path) && dirname(path) !== path) path = dirname(path);
  // Copy and SQLite's temporary files, plus a tenth for other writers.
  const needed = Math.ceil((bytes * 22) / 10);
  const { bavail, bsize } = statfsSync(path);
  const free = bavail * bsize;
  const facts = { directory: path, needed, free };
  const detail = `${prettyBytes(free)} are free in ${path}, ${prettyBytes(needed)} are needed`;
  return { name, ok: free >= needed, detail, facts };
}

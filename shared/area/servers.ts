import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import type { MegatestServer } from "../contract/area-facts.ts";
import { systemCode } from "../errors.ts";
import { readHead } from "../files/read-bounded.ts";
import { plural } from "../text.ts";
import type { Area } from "./area.ts";

/** Megatest's clients use a server that touched its log within this many ms. */
const liveMs = 16_000;

const headBytes = 64 * 1024;

/**
 * Returns all servers with a log, newest first. `now` is by the file system's clock (see `clockSkewMs`). A stale log
 * of another host says nothing about its process.
 */
export function liveServers(area: Area, now = Date.now(), host = hostname()): MegatestServer[] {
  const directory = join(area.realPath, "logs");
  return listLogs(directory)
    .flatMap((name) => {
      const match = /^server-(\d{1,10})-(.+)\.log$/.exec(name);
      const stat = match === null ? undefined : lstatSync(join(directory, name), { throwIfNoEntry: false });
      if (match === null || stat === undefined || !stat.isFile()) return [];
      const log = { pid: Number(match[1]), host: match[2] ?? "", logMtimeMs: stat.mtimeMs };
      const state = stateOf(log, now, host);
      const start = state === "stale" ? undefined : startOf(join(directory, name));
      const aheadMs = log.logMtimeMs - now;
      const ahead = aheadMs > liveMs ? { aheadMs } : {};
      return [{ ...log, ...ahead, state, address: start?.address, startedAt: start?.startedAt }];
    })
    .sort((a, b) => b.logMtimeMs - a.logMtimeMs);
}

export function serverText({ pid, host, aheadMs }: MegatestServer): string {
  return `pid ${pid} on ${host}${aheadMs === undefined ? "" : `, whose log is dated ${spanText(aheadMs)} in the future`}`;
}

/** `90 seconds`, `60 minutes`, `300 days` */
export function spanText(ms: number): string {
  const units = [
    ["second", 1_000],
    ["minute", 60_000],
    ["hour", 3_600_000],
    ["day", 86_400_000],
  ] as const;
  const [unit, size] = units.findLast(([, size]) => ms >= 2 * size) ?? units[0];
  return plural(Math.round(ms / size), unit);
}

function listLogs(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(error))) return [];
    throw error;
  }
}

function stateOf(
  log: Pick<MegatestServer, "pid" | "host" | "logMtimeMs">,
  now: number,
  host: string,
): MegatestServer["state"] {
  if (now - log.logMtimeMs <= liveMs) return "live";
  return log.host === host && isAlive(log.pid, log.logMtimeMs) ? "stale-alive" : "stale";
}

function startOf(path: string): { address: string; startedAt: number } | undefined {
  try {
    const head = readHead(path, { maxBytes: headBytes, code: "io" });
    const match = /^SERVER STARTED: (\S+:\d+) AT (\d+(?:\.\d+)?)/m.exec(head);
    return match === null ? undefined : { address: match[1] ?? "", startedAt: Number(match[2]) * 1000 };
  } catch {
    return undefined; // rotated or unreadable: its name and age still count
  }
}

/** Maximum clock difference from the file server. */
const clockMarginMs = 10 * 60_000;

/** Returns true for a process, not a zombie or thread, that started before the log was last touched. */
function isAlive(pid: number, logMtimeMs: number): boolean {
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (systemCode(error) !== "EPERM") return false;
  }
  const status = readProc(pid, "status");
  if (status === undefined) return true; // no /proc
  const isProcess = new RegExp(`^Tgid:\\s+${pid}$`, "m").test(status) && !/^State:\s+[ZX]/m.test(status);
  const started = startedAtMs(pid);
  return isProcess && (started === undefined || started < logMtimeMs + clockMarginMs);
}

function readProc(pid: number | "", name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return undefined;
  }
}

/** Returns a process's start, ms since 1970; undefined without /proc. */
export function startedAtMs(pid: number): number | undefined {
  const stat = readProc(pid, "stat");
  const uptime = readProc("", "uptime");
  // The command in parentheses may contain anything.
  const ticks = Number(stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
  const up = Number(uptime?.split(" ")[0]);
  return Number.isFinite(ticks) && Number.isFinite(up) ? Date.now() - up * 1000 + ticks * 10 : undefined;
}

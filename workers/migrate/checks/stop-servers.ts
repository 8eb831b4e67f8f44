import { readFileSync } from "node:fs";
import { basename } from "node:path";
import type { Area } from "../../../shared/area/area.ts";
import { userText } from "../../../shared/area/user-name.ts";
import type { MigrateCheck } from "../../../shared/contract/migrate-result.ts";
import type { Settings } from "../../../shared/settings/settings.ts";
import { aliveServers } from "../../area-db/alive-servers.ts";
import { rest } from "../../area-db/transaction.ts";
import { describeServers } from "./in-use.ts";

/** A server syncs once more before it ends, ms. */
const patienceMs = 30_000;

/**
 * Stops this host's Megatest servers with SIGTERM and waits. Signals only processes of this user with a log in the
 * area and a server's command line. Returns the check `servers`, with `facts.stopped` and `facts.left`.
 */
export async function stopServers(
  area: Area,
  pids: readonly number[],
  settings: Settings,
  signal: AbortSignal,
  waitMs = patienceMs,
): Promise<MigrateCheck> {
  const alive = aliveServers(area, settings.host).filter(({ host }) => host === settings.host);
  const left: { pid: number; reason: string }[] = [];
  const signalled: number[] = [];
  for (const pid of pids) {
    const reason = alive.some((server) => server.pid === pid)
      ? whyNotServer(pid)
      : "no log in the area names a live server with that pid on this host";
    if (reason === undefined) signalled.push(pid);
    else left.push({ pid, reason });
  }
  for (const pid of signalled) signalServer(pid);
  const deadline = performance.now() + waitMs;
  while (signalled.some(isServer) && performance.now() < deadline) await rest(100, signal);
  for (const pid of signalled.filter(isServer)) left.push({ pid, reason: "it did not end in time" });
  const stopped = signalled.filter((pid) => !isServer(pid));
  const others = aliveServers(area, settings.host).filter(
    ({ host, pid }) => host !== settings.host || !stopped.includes(pid),
  );
  const check = describeServers(others);
  return { ...check, facts: { ...check.facts, stopped, left } };
}

const isServer = (pid: number) => whyNotServer(pid) === undefined;

/** Returns why a process is not stopped. */
function whyNotServer(pid: number): string | undefined {
  const words = read(pid, "cmdline")?.split("\0");
  const status = read(pid, "status");
  if (words === undefined || status === undefined || /^State:\s+[ZX]/m.test(status)) return "it has ended";
  const isMegatest = words.some((word) => /^(megatest|mtest)$/.test(basename(word)));
  if (!isMegatest || !words.includes("-server")) return "it is not a Megatest server";
  const uid = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]);
  return uid === process.getuid?.() ? undefined : `it belongs to ${userText(uid)}`;
}

function read(pid: number, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return undefined;
  }
}

function signalServer(pid: number): void {
  try {
    process.kill(pid, "SIGTERM");
  } catch {
    // It has already ended.
  }
}

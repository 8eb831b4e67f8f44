import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { basename } from "node:path";
import type { Area } from "../../../shared/area/area.ts";
import { startedAtMs } from "../../../shared/area/servers.ts";
import type { MigrationRow } from "../../../shared/contract/migration-row.ts";
import { isInside } from "../../../shared/files/roots.ts";
import { shellWord } from "../../../shared/shell-word.ts";

/** A Megatest process that was started when another host was the home. */
interface OldClient {
  pid: number;
  command: string;
}

const programs = /^(megatest|mtest|dboard|mdboard|dashboard|mtut|mtutil)$/;
const named = 20;
const longestCommand = 120;

/**
 * Finds clients on the new home that were started before the move: they ask the old home for a server and hang until
 * one runs here. Sees only processes whose working directory is readable.
 */
function oldClients(area: Area, switchedAt: number): OldClient[] {
  return listPids().flatMap((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").filter(Boolean);
      const isClient = words.some((word) => programs.test(basename(word))) && !words.includes("-server");
      const startedAt = startedAtMs(pid);
      if (!isClient || startedAt === undefined || startedAt > switchedAt) return [];
      if (!isInside(realpathSync(`/proc/${pid}/cwd`), area.realPath)) return [];
      return [{ pid, command: words.join(" ").slice(0, longestCommand) }];
    } catch {
      return []; // it ended, or is not readable
    }
  });
}

function listPids(): number[] {
  try {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

export function oldClientWarnings(area: Area, host: string, row: Pick<MigrationRow, "begun_at">): string[] {
  const clients = oldClients(area, row.begun_at);
  if (clients.length === 0) return [];
  const names = clients.slice(0, named).map(({ pid, command }) => `${pid} (${command})`);
  const more = clients.length > named ? ` and ${clients.length - named} more` : "";
  const verb = clients.length === 1 ? "was" : "were";
  return [
    `on ${host} process ${names.join(", ")}${more} ${verb} started before the move: ${startServer(host, area.path)}, or end and start ${clients.length === 1 ? "it" : "them"} again`,
  ];
}

/** Tells how to start a server: without one, older clients ask the old home and are refused. */
export const startServer = (host: string, area: string) =>
  `start a server on ${host}: cd ${shellWord(area)} && megatest -server -`;

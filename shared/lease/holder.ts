import { readFileSync } from "node:fs";

/** Includes the process start, so that a reused pid differs. */
export function holderName(host: string, pid = process.pid): string {
  return `${host}/${pid}/${startOf(pid) ?? 0}`;
}

/**
 * Returns true if the holder ran on this host and its process does not exist: its lease need not expire first. A
 * holder on another host is never known to be dead.
 */
export function isDeadHolder(holder: string, host: string): boolean {
  const [holderHost, pid, start] = holder.split("/");
  if (holderHost !== host || pid === undefined) return false;
  const seen = startOf(Number(pid));
  if (seen === undefined) return !isAlive(Number(pid));
  return start !== "0" && start !== String(seen);
}

/** Returns a process's start in clock ticks since boot; undefined without such a process or /proc. */
function startOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // Field 2, the command, may contain spaces and parentheses.
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
  } catch {
    return undefined;
  }
}

/** Returns true if a process of this number exists, also another user's. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

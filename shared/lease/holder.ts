import { readFileSync } from "node:fs";

/** Includes the process start, so that a reused pid differs. */
export function holderName(host: string, pid = process.pid): string {
  return `${host}/${pid}/${processStart(pid)}`;
}

/**
 * Returns true if the holder ran on this host and its process does not exist: its lease need not expire first. A
 * holder on another host is never known to be dead.
 */
export function isDeadHolder(holder: string, host: string): boolean {
  const [holderHost, pid, start] = holder.split("/");
  if (holderHost !== host || pid === undefined) return false;
  return !isAlive(Number(pid), Number(start));
}

/** Returns a process's start in clock ticks since boot; 0 without such a process or /proc. */
export function processStart(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // Field 2, the command, may contain spaces and parentheses.
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
  } catch {
    return 0;
  }
}

/**
 * Returns true if the process exists, also another user's. Numbers are used again: one that started at another time is
 * another process.
 *
 * @param start 0 or NaN if it is unknown
 */
export function isAlive(pid: number, start: number): boolean {
  const seen = processStart(pid);
  if (seen > 0) return !(start > 0) || start === seen;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

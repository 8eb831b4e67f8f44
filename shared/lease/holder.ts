import { readFileSync } from "node:fs";

/** Names this process as a holder of the lease: host, pid, and when the process began, so that a reused pid differs. */
export function holderName(host: string, pid = process.pid): string {
  return `${host}/${pid}/${startOf(pid) ?? 0}`;
}

/**
 * True where the holder certainly died: it ran on this host and its process is gone. Then its lease need
 * not run out first. A holder on another host is never known to be dead.
 */
export function isDeadHolder(holder: string, host: string): boolean {
  const [holderHost, pid, start] = holder.split("/");
  if (holderHost !== host || pid === undefined) return false;
  const seen = startOf(Number(pid));
  if (seen === undefined) return !isAlive(Number(pid));
  return start !== "0" && start !== String(seen);
}

/** Start of a process in clock ticks since boot; undefined where there is none or no /proc. */
function startOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command's name, field 2, may hold spaces and brackets: count from the last bracket.
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

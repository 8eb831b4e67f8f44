import type { FenceRow } from "../area-facts.ts";

/** True where the lease stands: its holder is alive as far as can be told from here, and it has not run out. */
export function isAtWork({ holder, expires_at }: FenceRow, host: string): boolean {
  return holder !== null && expires_at > Date.now() && !isGone(holder, host);
}

/** True where the holder ran on this host and no process has its number. */
function isGone(holder: string, host: string): boolean {
  const [where, pid] = holder.split("/");
  if (where !== host || pid === undefined) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

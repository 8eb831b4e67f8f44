import { spawnSync } from "node:child_process";

/** Returns false if strace is missing, or may not follow another process. */
export function canTrace(): boolean {
  return spawnSync("strace", ["-o", "/dev/null", "true"]).status === 0;
}

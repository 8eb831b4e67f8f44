import { readlinkSync } from "node:fs";

/**
 * Returns the working directory; if it was removed, the name that the system gives it (`/areas/a1 (deleted)`), so
 * that absolute paths still work and errors about relative ones show the cause.
 */
export function workingDirectory(): string {
  try {
    return process.cwd();
  } catch {
    try {
      return readlinkSync("/proc/self/cwd");
    } catch {
      return "/dev/null/removed";
    }
  }
}

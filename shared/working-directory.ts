import { readlinkSync } from "node:fs";

/**
 * The working directory. If it was removed, a name under which nothing can be found, as the system gives it
 * (`/areas/a1 (deleted)`): absolute paths go on to work, and an error about a relative one says what is wrong.
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

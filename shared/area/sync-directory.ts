import { closeSync, fsyncSync, openSync } from "node:fs";
import { systemCode } from "./system-code.ts";

/** Makes new, renamed and removed names of a directory durable. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } catch (error) {
    // Some network file systems know no fsync of a directory; their servers write names through.
    if (!["EINVAL", "ENOTSUP"].includes(systemCode(error))) throw error;
  } finally {
    closeSync(fd);
  }
}

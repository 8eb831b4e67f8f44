import { existsSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import prettyBytes from "pretty-bytes";
import type { MigrateCheck } from "../../shared/migrate-result.ts";

/** Checks for room for a pair of `bytes`. A missing directory counts as its nearest existing parent. */
export function spaceCheck(
  name: "space-area" | "space-target",
  directory: string,
  bytes: number,
): MigrateCheck {
  let path = directory;
  while (!existsSync(path) && dirname(path) !== path) path = dirname(path);
  // Copy and SQLite's temporary files, plus a tenth for other writers.
  const needed = Math.ceil((bytes * 22) / 10);
  const { bavail, bsize } = statfsSync(path);
  const free = bavail * bsize;
  const facts = { directory: path, needed, free };
  const detail = `${prettyBytes(free)} are free in ${path}, ${prettyBytes(needed)} are needed`;
  return { name, ok: free >= needed, detail, facts };
}

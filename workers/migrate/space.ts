import { existsSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import prettyBytes from "pretty-bytes";
import type { MigrateCheck } from "../../shared/migrate-result.ts";

/**
 * Whether a directory's file system has room for a pair of `bytes`. The directory may be missing: then the nearest one above
 * it counts. Opens nothing.
 */
export function spaceCheck(
  name: "space-area" | "space-target",
  directory: string,
  bytes: number,
): MigrateCheck {
  let path = directory;
  while (!existsSync(path) && dirname(path) !== path) path = dirname(path);
  // A copy, and what SQLite needs beside it while it is made; a tenth for what others write meanwhile.
  const needed = Math.ceil((bytes * 22) / 10);
  const { bavail, bsize } = statfsSync(path);
  const free = bavail * bsize;
  const facts = { directory: path, needed, free };
  const detail = `${prettyBytes(free)} are free in ${path}, ${prettyBytes(needed)} are needed`;
  return { name, ok: free >= needed, detail, facts };
}

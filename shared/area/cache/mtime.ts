import { randomUUID } from "node:crypto";
import {
  closeSync,
  fstatSync,
  lutimesSync,
  openSync,
  readdirSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { Area } from "../area.ts";
import { ensurePrivateDir } from "../ownership.ts";

/** Megatest refills a cache if megatest.db is newer by more than this, ms. */
const refillMarginMs = 10_000;

/**
 * Returns the newest modification time of the files named `prefix…`, ms since 1970. Ignores an empty write-ahead log
 * and its index, which any reader creates.
 */
export function newestMtimeMs(directory: string, prefix: string): number | undefined {
  return newest(
    directory,
    prefix,
    (name, size) => !name.endsWith("-shm") && !(name.endsWith("-wal") && size === 0),
  );
}

function newest(
  directory: string,
  prefix: string,
  counts: (name: string, size: number) => boolean,
): number | undefined {
  let latest: number | undefined;
  for (const name of readdirSync(directory)) {
    if (!name.startsWith(prefix)) continue;
    const stat = statSync(join(directory, name), { throwIfNoEntry: false });
    if (stat === undefined || !counts(name, stat.size)) continue;
    if (latest === undefined || stat.mtimeMs > latest) latest = stat.mtimeMs;
  }
  return latest;
}

/**
 * Returns true if Megatest would refill the cache from megatest.db when it opens it now. Counts all files
 * `megatest.db*`, including `-shm`, an empty `-wal` and `.lock`.
 */
export function refillDue(area: Area, cache: { directory: string } | undefined): boolean {
  if (cache === undefined) return false;
  const every = () => true;
  const ours = newest(area.realPath, "megatest.db", every);
  const cached = newest(cache.directory, "megatest.db", every);
  return ours !== undefined && cached !== undefined && ours - cached > refillMarginMs;
}

/** Follows no links and opens no file, so it is safe for open SQLite databases. */
export function touch(path: string, timeMs: number): void {
  lutimesSync(path, timeMs / 1000, timeMs / 1000);
}

/**
 * Returns how far the file system's clock is ahead of this host's, ms. Creates `.mtjobs` and, briefly, a file in it.
 * Accurate to the time of one write.
 */
export function clockSkewMs(area: Area): number {
  ensurePrivateDir(area);
  const probe = join(area.privateDir, `clock-${randomUUID()}`);
  const fd = openSync(probe, "wx", 0o600);
  try {
    const before = Date.now();
    writeSync(fd, "x");
    const after = Date.now();
    return fstatSync(fd).mtimeMs - (before + after) / 2;
  } finally {
    closeSync(fd);
    unlinkSync(probe);
  }
}

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
import type { Area } from "./area.ts";
import { ensurePrivateDir } from "./ownership.ts";

/** Megatest refills a cache once the area's database is newer by more than this, in milliseconds. */
const refillMarginMs = 10_000;

/**
 * Newest modification time, in ms since 1970, of the files in `directory` named `prefix…`; undefined where none is
 * there. An empty write-ahead log and its index tell of no change: whoever opens the database makes them, and they go.
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
    // A journal may be gone again by now.
    const stat = statSync(join(directory, name), { throwIfNoEntry: false });
    if (stat === undefined || !counts(name, stat.size)) continue;
    if (latest === undefined || stat.mtimeMs > latest) latest = stat.mtimeMs;
  }
  return latest;
}

/**
 * True where Megatest, opening the cache now, would overwrite it from megatest.db. It counts every file whose name begins
 * with `megatest.db`: `-shm`, an empty `-wal` and `.lock` too. Without a cache there is nothing to refill.
 */
export function refillDue(area: Area, cache: { directory: string } | undefined): boolean {
  if (cache === undefined) return false;
  const every = () => true;
  const ours = newest(area.realPath, "megatest.db", every);
  const cached = newest(cache.directory, "megatest.db", every);
  return ours !== undefined && cached !== undefined && ours - cached > refillMarginMs;
}

/** Sets a file's modification time, and follows no link. Opens nothing, so it is safe beside open SQLite databases. */
export function touch(path: string, timeMs: number): void {
  lutimesSync(path, timeMs / 1000, timeMs / 1000);
}

/**
 * How far the area's file system is ahead of this host's clock, in ms; negative: behind. Creates `.mtjobs` and, for
 * an instant, a file in it. Good to a few ms and the time of one write.
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

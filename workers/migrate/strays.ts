import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Area } from "../../shared/area/area.ts";
import { type CachePair, cacheAt } from "../../shared/area/cache.ts";
import { type FoundCache, findCaches, largestCache } from "../../shared/area/foreign-caches.ts";
import { toJobsError } from "../../shared/errors.ts";
import type { Settings } from "../../shared/settings.ts";
import { type Connection, openConnection, openToLook } from "../../shared/sqlite/connection.ts";
import { copyPrivately, type Expected, type PrivateCopy } from "../../shared/sqlite/private-copy.ts";
import { cacheReader } from "../../shared/sqlite/read-cache.ts";
import { proveToken, raiseToken, readFence } from "../fence.ts";
import { busyTimeoutMs } from "../move/databases.ts";
import { outwaitBusy, transact } from "../move/transaction.ts";
import { type ClosedMark, closePart, noteKnown, type PairPart } from "./closed.ts";
import { assertSound } from "./digest.ts";
import { ownPairs, readMark } from "./pair-files.ts";
import { copyAside } from "./snapshot.ts";

/** A cache at a place where nobody should write any more. */
export interface Stray {
  cache: string;
  /** What it last agreed on with megatest.db; undefined where it has none. */
  ref: string | undefined;
  directory: string;
  /** Where it is another user's: SQLite opens private copies of it alone, and it is not closed. */
  foreign?: Foreign;
}

interface Foreign extends Expected {
  owner: string;
  /** Newest change of it when it was found, ms since 1970. */
  changedAt: number;
}

/** Other users' caches that are copied already, by directory: as which stray, and how lately they had changed then. */
export type CopiedStrays = Readonly<Record<string, { n: number; changedAt: number }>>;

/**
 * Caches of the area on this host that somebody may have written to since its pair was closed: one of this user's that this
 * migration did not close, or that somebody opened again; one of another path that changed since; one of another user who
 * could write to megatest.db that changed since it was copied. What others wrote is no record of the area's, nor what another
 * area's cache holds.
 *
 * @throws JobsError `busy` where another cache, or the area's databases, are being written to
 */
export function findStrays(
  area: Area,
  settings: Settings,
  closed: ClosedMark,
  copied: CopiedStrays = {},
): Stray[] {
  const own = ownPairs(area, settings).flatMap(({ pair }) => (pair === undefined ? [] : [pair]));
  const known = new Set(own.map(({ directory }) => directory));
  const changed = findCaches(area, settings).caches.filter(
    ({ directory, mayWrite, mtimeMs }) =>
      mayWrite && !known.has(directory) && isNewer(mtimeMs, copied[directory]?.changedAt, closed),
  );
  const others = changed.length === 0 ? [] : changed.filter(holdsRunsOf(area));
  const maxBytes = largestCache(area);
  const closable = others
    .filter((cache) => isOurs(cache, settings))
    .flatMap(({ directory }) => readable(directory, settings));
  // One of this user's behind a link is copied as another user's is: nothing is written through a link.
  const isClosable = new Set(closable.map(({ directory }) => directory));
  const foreign = others
    .filter(({ directory }) => !isClosable.has(directory))
    .map(({ directory, megatestDb, refDb, owner, ownerUid: uid, mtimeMs: changedAt }) => ({
      cache: megatestDb,
      ref: refDb,
      directory,
      foreign: { uid, maxBytes, owner, changedAt },
    }));
  const ours = [...own, ...closable]
    .filter((pair) => !isClosedBy(pair, closed.token))
    .map(({ directory, megatestDb, refDb }) => ({ cache: megatestDb, ref: refDb, directory }));
  return [...ours, ...foreign];
}

/**
 * Another area's cache is none of this one's strays, whatever its name may stand for: as a job has it. What cannot be read
 * now is said when it is to be copied.
 */
function holdsRunsOf(area: Area): (cache: FoundCache) => boolean {
  const completed = existsSync(area.completedDb) ? area.completedDb : undefined;
  // The area's databases are the new home's by now: nothing is rolled back there.
  const read = cacheReader(area, completed, (files) => openToLook(files, { busyTimeoutMs }));
  return (cache) => {
    try {
      return read(cache) !== "another-area";
    } catch (error) {
      if (toJobsError(error).code === "busy") throw error;
      return true;
    }
  };
}

/** Its owner may set any time: one that was copied is copied again once it has another. */
const isNewer = (mtimeMs: number, copiedAt: number | undefined, { closedAt }: ClosedMark) =>
  copiedAt === undefined ? mtimeMs > closedAt : mtimeMs !== copiedAt;

/** By another path, of the user this process runs as, or as root for. */
function isOurs({ owner, ownerUid }: FoundCache, settings: Settings): boolean {
  const self = process.geteuid?.();
  return ownerUid === self || (self === 0 && owner === settings.user);
}

function readable(directory: string, settings: Settings): CachePair[] {
  try {
    const pair = cacheAt(directory, settings);
    return pair === undefined ? [] : [pair];
  } catch {
    return [];
  }
}

/** An empty file is none yet: whoever makes a cache begins with it. */
function isClosedBy(pair: CachePair, token: number): boolean {
  if (statSync(pair.megatestDb).size === 0) return true;
  const { mark, untouched } = readMark(pair);
  return mark?.token === token && untouched;
}

export interface ExportOptions {
  /** The mark of the pair that the migration closed. */
  closed: Pick<ClosedMark, "token" | "movedTo">;
  /** `.mtjobs/migration/<token>` of the area. */
  directory: string;
  /** Tells the strays of a migration apart; 0 is one that stood on the new home. */
  n: number;
  partToken: number;
  /** File whose owner and mode the copies get. */
  model: string;
  signal: AbortSignal;
}

/**
 * Closes a stray, so that nobody writes to it any more, copies it to the area, its ref first, and then notes that it is
 * known. May be repeated: until then `findStrays` finds it.
 */
export async function exportStray(stray: Stray, o: ExportOptions): Promise<void> {
  const { partToken, model, signal } = o;
  // Whoever writes to it does so all the time, and waits for longer than we do.
  await outwaitBusy(signal, () =>
    withStray(stray, (db, part) => {
      const token = tokenFor(db, part, o);
      transact(db, () => raiseToken(db, part, token));
      closePart(db, part, { ...o.closed, closedAt: Date.now() }, token, { known: false });
    }),
  );
  const to = strayFiles(o.directory, o.n);
  if (stray.ref !== undefined) await copyAside({ from: stray.ref, target: to.ref, partToken, model, signal });
  await copyAside({ from: stray.cache, target: to.cache, partToken, model, signal });
  await outwaitBusy(signal, () =>
    withStray(stray, (db, part) =>
      transact(db, () => {
        proveToken(db, part, tokenFor(db, part, o), Date.now());
        noteKnown(db, part);
      }),
    ),
  );
}

function withStray(stray: Stray, body: (db: Connection, part: PairPart) => void): void {
  const files = { cache: stray.cache, ...(stray.ref === undefined ? {} : { ref: stray.ref }) };
  const db = openConnection(files, { busyTimeoutMs: 1_000 });
  try {
    body(db, "cache");
    if (stray.ref !== undefined) body(db, "ref");
  } finally {
    db.close();
  }
}

/**
 * Copies another user's cache to the area, its ref first where that can be had. It stays open: to close it SQLite would have to
 * write where that user may plant what he likes. May be repeated under the same number, once it changed again.
 *
 * @returns why it is no cache that could be brought home; undefined once it is copied
 * @throws JobsError `busy` where it is written to all the time; what keeps us from copying
 */
export async function exportForeign(
  { cache, ref }: Stray,
  foreign: Expected,
  o: Pick<ExportOptions, "directory" | "n" | "partToken" | "model" | "signal">,
): Promise<string | undefined> {
  const { partToken, model, signal } = o;
  const to = strayFiles(o.directory, o.n);
  const copy = await outwaitBusy(signal, () => copySound(cache, foreign));
  if (typeof copy === "string") return copy;
  let base: PrivateCopy | string | undefined;
  try {
    // Without a sound ref of its own a stray is compared with what the migration has.
    if (ref !== undefined) base = await outwaitBusy(signal, () => copySound(ref, foreign));
    if (typeof base === "object")
      await copyAside({ from: base.file, target: to.ref, partToken, model, signal });
    await copyAside({ from: copy.file, target: to.cache, partToken, model, signal });
  } finally {
    copy.remove();
    if (typeof base === "object") base.remove();
  }
  return undefined;
}

/** A private copy that SQLite finds sound, or a sentence on what is wrong with what its owner has there. */
function copySound(file: string, expected: Expected): PrivateCopy | string {
  let copy: PrivateCopy | undefined;
  try {
    copy = copyPrivately(file, expected);
    assertSound(copy.file);
    return copy;
  } catch (thrown) {
    copy?.remove();
    const error = toJobsError(thrown);
    if (["not-owner", "corrupt", "io"].includes(error.code)) return error.message;
    throw error;
  }
}

/** A cache that was made anew knows no token, and one of another migration may know a higher one. */
function tokenFor(db: Connection, part: PairPart, { partToken }: ExportOptions): number {
  return Math.max(partToken, readFence(db, part)?.token ?? 0);
}

/** Where a stray's copies are; without a `ref` it had none. */
export function strayFiles(directory: string, n: number): { cache: string; ref: string } {
  return { cache: join(directory, `stray-${n}.db`), ref: join(directory, `stray-${n}-ref.db`) };
}

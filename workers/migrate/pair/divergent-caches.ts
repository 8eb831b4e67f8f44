import { existsSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Area } from "../../../shared/area/area.ts";
import { type CachePair, cacheAt } from "../../../shared/area/cache/cache.ts";
import { type FoundCache, findCaches, largestCache } from "../../../shared/area/cache/find-caches.ts";
import { cacheReader } from "../../../shared/area-db/read-cache.ts";
import { defined } from "../../../shared/defined.ts";
import { toJobsError } from "../../../shared/errors.ts";
import type { Settings } from "../../../shared/settings/settings.ts";
import { openConnection, openReadonlyConnection } from "../../../shared/sqlite/connection.ts";
import { copyPrivately, type ExpectedFile, type PrivateCopy } from "../../../shared/sqlite/private-copy.ts";
import { DatabaseSession } from "../../area-db/database-session.ts";
import { busyTimeoutMs } from "../../area-db/databases.ts";
import { raiseFenceToken, readFence } from "../../area-db/fence.ts";
import { retryWhileBusy, transact } from "../../area-db/transaction.ts";
import { type ClosedMark, closeDatabase, type PairPart, recordKnown } from "./closed.ts";
import { copyAside } from "./copy-database.ts";
import { assertSound } from "./digest.ts";
import { integrityInThread } from "./digest-in-thread.ts";
import { ownPairs, readMark } from "./pair-files.ts";

/** A cache that should no longer be written to. */
export interface DivergentCache {
  cache: string;
  /** Undefined without a ref. */
  ref: string | undefined;
  directory: string;
  /** Another user's: only private copies are opened, and it is not closed. */
  foreign?: Foreign;
}

interface Foreign extends ExpectedFile {
  owner: string;
  /** Its newest modification, ms since 1970. */
  changedAt: number;
}

/** Other users' caches already copied, by directory. */
export type CopiedCaches = Readonly<Record<string, { n: number; changedAt: number }>>;

/**
 * Finds this host's caches of the area that may have been written to since its pair was closed: this user's that this
 * migration did not close or that were reopened, and changed ones of other paths or of other users who may write to
 * megatest.db. Excludes other areas' caches.
 *
 * @throws JobsError `busy` while a cache or the area's databases are being written to
 */
export function findDivergentCaches(
  area: Area,
  settings: Settings,
  closed: ClosedMark,
  copied: CopiedCaches = {},
): DivergentCache[] {
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
  // Behind a link it is copied like another user's: nothing is written through a link.
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

/** Filters by runs, as a job does. An unreadable cache fails later, when it is copied. */
function holdsRunsOf(area: Area): (cache: FoundCache) => boolean {
  const completed = existsSync(area.completedDb) ? area.completedDb : undefined;
  // The databases belong to the new home now: roll nothing back.
  const read = cacheReader(area, completed, (files) => openReadonlyConnection(files, { busyTimeoutMs }));
  return (cache) => {
    try {
      return read(cache) !== "another-area";
    } catch (error) {
      if (toJobsError(error).code === "busy") throw error;
      return true;
    }
  };
}

/** Owners may set any time, so any difference counts. */
const isNewer = (mtimeMs: number, copiedAt: number | undefined, { closedAt }: ClosedMark) =>
  copiedAt === undefined ? mtimeMs > closedAt : mtimeMs !== copiedAt;

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

/** Returns true if this migration closed the pair and nothing was written since; also for an empty file, which is still being created. */
function isClosedBy(pair: CachePair, token: number): boolean {
  if (statSync(pair.megatestDb).size === 0) return true;
  try {
    const { mark, untouched } = readMark(pair);
    return mark?.token === token && untouched;
  } catch (error) {
    // Too damaged to tell.
    if (toJobsError(error).code === "corrupt") return false;
    throw error;
  }
}

export interface ExportOptions {
  closed: Pick<ClosedMark, "token" | "movedTo">;
  /** `.mtjobs/migration/<token>` of the area. */
  directory: string;
  /** 0: the one that existed on the new home. */
  n: number;
  stepToken: number;
  /** File whose owner and mode the copies get. */
  model: string;
  signal: AbortSignal;
}

/**
 * Closes a divergent cache, copies it to the area, its ref first, and marks it as known. May be repeated until then.
 * Returns what is wrong with the copy: a damaged one stays in the area, where it is not merged.
 *
 * @throws JobsError `corrupt` if it is too damaged to be closed
 */
export async function exportDivergentCache(source: DivergentCache, o: ExportOptions): Promise<string[]> {
  const { stepToken, model, signal } = o;
  // An active writer may hold it longer than one attempt.
  await withDivergentCache(source, o, async (session, part) => {
    await session.read(() => transact(session.db, () => raiseFenceToken(session.db, part, session.token)));
    const mark = { ...o.closed, closedAt: Date.now() };
    await session.commit(part, () => closeDatabase(session.db, part, mark, { known: false }));
  });
  const to = divergentCacheFiles(o.directory, o.n);
  if (source.ref === undefined) removeLeftRef(to.ref);
  else await copyAside({ from: source.ref, target: to.ref, stepToken, model, signal });
  await copyAside({ from: source.cache, target: to.cache, stepToken, model, signal });
  await withDivergentCache(source, o, (session, part) =>
    session.commit(part, () => recordKnown(session.db, part)),
  );
  return await integrityInThread(to.cache, signal);
}

/** Removes the ref of a cache that could not be copied under this number: it is no ancestor of the next one's rows. */
function removeLeftRef(file: string): void {
  rmSync(file, { force: true });
}

async function withDivergentCache(
  { cache, ref }: DivergentCache,
  { stepToken, signal }: ExportOptions,
  body: (session: DatabaseSession, part: PairPart) => Promise<void>,
): Promise<void> {
  const files = defined({ cache, ref });
  const db = await retryWhileBusy(signal, () => openConnection(files, { busyTimeoutMs: 1_000 }));
  const session = new DatabaseSession({ db, signal });
  try {
    for (const part of Object.keys(files) as PairPart[]) {
      // Not below the database's own, which may come from another migration.
      const own = await session.read(() => readFence(db, part)?.token ?? 0);
      session.token = Math.max(stepToken, own);
      await body(session, part);
    }
  } finally {
    db.close();
  }
}

/**
 * Copies another user's cache to the area, its ref first. It stays open: closing it would make SQLite write where
 * that user may plant files. May be repeated.
 *
 * @returns why it cannot be merged; undefined once copied
 * @throws JobsError `busy` while it is constantly written to; local errors of the copy
 */
export async function exportForeign(
  { cache, ref }: DivergentCache,
  foreign: ExpectedFile,
  o: Pick<ExportOptions, "directory" | "n" | "stepToken" | "model" | "signal">,
): Promise<string | undefined> {
  const { stepToken, model, signal } = o;
  const to = divergentCacheFiles(o.directory, o.n);
  const copy = await retryWhileBusy(signal, () => copySound(cache, foreign));
  if (typeof copy === "string") return copy;
  let base: PrivateCopy | string | undefined;
  try {
    // Without a sound ref it is compared with the migration's base.
    if (ref !== undefined) base = await retryWhileBusy(signal, () => copySound(ref, foreign));
    if (typeof base === "object")
      await copyAside({ from: base.file, target: to.ref, stepToken, model, signal });
    else removeLeftRef(to.ref);
    await copyAside({ from: copy.file, target: to.cache, stepToken, model, signal });
  } finally {
    copy.remove();
    if (typeof base === "object") base.remove();
  }
  return undefined;
}

/** Returns a sound private copy, or a sentence on what is wrong. */
function copySound(file: string, expected: ExpectedFile): PrivateCopy | string {
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

/** Returns the paths of a copy; without a `ref` file it had none. */
export function divergentCacheFiles(directory: string, n: number): { cache: string; ref: string } {
  return { cache: join(directory, `stray-${n}.db`), ref: join(directory, `stray-${n}-ref.db`) };
}

import { existsSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Area } from "../../../shared/area/area.ts";
import { type CachePair, cacheAt } from "../../../shared/area/cache/cache.ts";
import { createLike, createNewLike } from "../../../shared/area/ownership.ts";
import type { FileDigest } from "../../../shared/contract/migration-row.ts";
import { defined } from "../../../shared/defined.ts";
import { JobsError } from "../../../shared/errors.ts";
import { syncDirectory } from "../../../shared/files/sync-directory.ts";
import type { Settings } from "../../../shared/settings/settings.ts";
import { openConnection } from "../../../shared/sqlite/connection.ts";
import { assertFenceToken, raiseFenceToken } from "../../area-db/fence.ts";
import { retryWhileBusy, transact } from "../../area-db/transaction.ts";
import { type PairPart, recordKnown, setNamedHome, writeClosed } from "./closed.ts";
import { copyDatabase, matchPageSize, setRollbackJournal, snapshotNames, syncFile } from "./copy-database.ts";
import { sameDigest } from "./digest.ts";
import { digestInThread } from "./digest-in-thread.ts";
import { exportDivergentCache } from "./divergent-caches.ts";
import { checkHandedOver } from "./handed-over.ts";
import { type GapIds, writeGap } from "./id-gap.ts";
import {
  findPairDirectory,
  makePairDirectory,
  ownPairs,
  type PairDirectory,
  pairNames,
  readMark,
  removeIfEmpty,
  removeOwnFiles,
  removePair,
  removeSidecars,
  reusedNote,
  temporaryFile,
  writeReadyMarks,
} from "./pair-files.ts";

export interface Installing {
  area: Area;
  settings: Settings;
  /** The migration's token. */
  token: number;
  /** Token of the current step, for the new pair's fence. */
  stepToken: number;
  gapAbove: GapIds;
  signal: AbortSignal;
  failpoint(name: "pair-copied" | "pair-replaced" | "pair-installed"): void;
}

export interface InstallOptions extends Installing {
  /** `.mtjobs/migration/<token>` of the area. */
  snapshot: string;
  digests: Partial<Record<PairPart, FileDigest>>;
}

/**
 * Installs the snapshot as this host's pair, still closed. Call under the pair guard, after checking the token there.
 * May be repeated. Overwrites a closed pair of an earlier migration in place; what was written to it since is first
 * copied as divergent cache 0.
 *
 * @throws JobsError `conflict` if an open pair exists; `corrupt` if the copy differs
 */
export async function installPair(o: InstallOptions): Promise<CachePair> {
  const place = await preparePairDirectory(o, o.snapshot);
  // No private copy, which would need the space of another pair: the digests tell whether these files were read.
  for (const part of ["cache", "ref"] as const) checkHandedOver(o, snapshotFile(o, part));
  const parts = (["cache", "ref"] as const).filter((part) => o.digests[part] !== undefined);
  const files = await copyParts(
    o,
    place,
    Object.fromEntries(parts.map((part) => [part, snapshotFile(o, part)])),
  );
  o.failpoint("pair-copied");
  const found = await digestInThread(files, o.signal);
  for (const part of parts) {
    const [expected, here] = [o.digests[part], found[part]];
    if (expected !== undefined && here !== undefined && sameDigest(expected, here)) continue;
    throw new JobsError("corrupt", `${files[part]} differs from the old home's ${part}`, {
      hint: "check the file systems of the area and of this host's caches; the old home is unchanged",
      details: { expected, found: here },
    });
  }
  return putPair(o, place, files);
}

const snapshotFile = ({ snapshot }: InstallOptions, part: PairPart) => join(snapshot, snapshotNames[part]);

type Files = Partial<Record<PairPart, string>>;

/** Removes files of earlier attempts; requires an existing pair to be closed. */
export async function preparePairDirectory(o: Installing, directory: string): Promise<PairDirectory> {
  const place = await retryWhileBusy(o.signal, () => findPairDirectory(o.area, o.settings));
  if (place.standing !== undefined && place.mark === undefined) {
    const { host } = o.settings;
    throw new JobsError("conflict", `${place.directory} on ${host} holds a cache that no migration closed`, {
      hint: "end the processes that use it, check that megatest.db has all its rows, then remove it",
    });
  }
  const note = reusedNote(place.directory, o.token);
  const stands = place.standing !== undefined && place.mark !== undefined;
  removeOwnFiles(makePairDirectory(o.settings, place), undefined, stands ? note : undefined);
  if (place.standing === undefined || place.mark === undefined) return place;
  if (place.mark.token !== o.token) createLike(note, o.area.megatestDb);
  // Before the pair gets this token: without the note, undoing would remove it.
  syncDirectory(place.directory);
  // Only the cache: a step that died may have written to the ref.
  if (place.mark.token !== o.token && !place.cacheUntouched) {
    const { megatestDb: cache, refDb, directory: at } = place.standing;
    const { area, stepToken, signal } = o;
    // Compared with another migration's ref, older rows of the cache would look changed.
    const divergent = { cache, ref: place.isRefOfCache ? refDb : undefined, directory: at };
    await exportDivergentCache(divergent, {
      closed: place.mark,
      directory,
      n: 0,
      stepToken,
      model: area.megatestDb,
      signal,
    });
  }
  return place;
}

export async function copyParts(
  { area, token, signal }: Installing,
  { directory }: PairDirectory,
  sources: Files,
): Promise<Files> {
  const files: Files = {};
  for (const part of ["cache", "ref"] as const) {
    const from = sources[part];
    if (from === undefined) continue;
    const file = temporaryFile(directory, token, part);
    createNewLike(file, area.megatestDb);
    await copyDatabase(from, file, signal);
    setRollbackJournal(file);
    files[part] = file;
  }
  return files;
}

export async function putPair(o: Installing, place: PairDirectory, files: Files): Promise<CachePair> {
  const parts = (["cache", "ref"] as const).filter((part) => files[part] !== undefined);
  const db = openConnection(files);
  try {
    for (const part of parts) {
      transact(db, () => {
        raiseFenceToken(db, part, o.stepToken);
        writeClosed(db, part, () => writeGap(db, o.gapAbove, [part]));
        // A copy's schema version differs from its source's.
        recordKnown(db, part);
      });
    }
  } finally {
    db.close();
  }
  // The cache last: a pair is found by it.
  for (const part of parts.toReversed()) await putFile(o, place, part, files[part] ?? "");
  writeReadyMarks(place.directory, o.area.megatestDb);
  syncDirectory(place.directory);
  const pair = cacheAt(place.directory, o.settings);
  const mark = pair === undefined ? undefined : await retryWhileBusy(o.signal, () => readMark(pair).mark);
  if (pair === undefined || mark?.token !== o.token) {
    throw new JobsError("conflict", `${place.directory} was changed while the pair was installed`, {
      hint: "check what else uses the caches of this host",
    });
  }
  o.failpoint("pair-installed");
  return pair;
}

async function putFile(o: Installing, place: PairDirectory, part: PairPart, file: string): Promise<void> {
  const target = join(place.directory, pairNames[part]);
  if (statSync(target, { throwIfNoEntry: false }) === undefined) {
    syncFile(file);
    removeSidecars(target);
    renameSync(file, target);
  } else {
    // It may be open elsewhere: replace its content, not the file.
    await retryWhileBusy(o.signal, () => matchPageSize(file, target));
    await copyDatabase(file, target, o.signal);
    o.failpoint("pair-replaced");
    rmSync(file);
    await retryWhileBusy(o.signal, () => markKnown(target, part, o.stepToken));
  }
}

function markKnown(file: string, part: PairPart, stepToken: number): void {
  const db = openConnection({ [part]: file }, { busyTimeoutMs: 25 });
  try {
    transact(db, () => {
      assertFenceToken(db, part, stepToken, Date.now());
      recordKnown(db, part);
    });
  } finally {
    db.close();
  }
}

/**
 * Undoes `installPair`: removes files with the migration's token, and the installed pair unless it is open or was
 * written to. A pair that stays is closed and names `home`. Call under the pair guard. May be repeated until
 * `finishCleaning`, which removes the note that a pair existed before.
 */
export async function cleanPair(
  { area, settings, signal }: Pick<Installing, "area" | "settings" | "signal">,
  token: number,
  home: string,
): Promise<void> {
  for (const { directory, pair } of ownPairs(area, settings)) {
    const note = reusedNote(directory, token);
    const reused = existsSync(note);
    if (pair !== undefined) {
      const { mark, untouched } = await retryWhileBusy(signal, () => readMark(pair));
      const isOurs = mark?.token === token;
      const isGone = isOurs && !reused && untouched && removePair(directory);
      if (isOurs && !isGone) await retryWhileBusy(signal, () => tellPair(pair, home));
    }
    removeOwnFiles(directory, token, note);
    removeIfEmpty(directory);
  }
}

/** Completes `cleanPair` once the area records it. Call under the pair guard. */
export function finishCleaning(
  { area, settings }: Pick<Installing, "area" | "settings">,
  token: number,
): void {
  for (const { directory } of ownPairs(area, settings)) {
    removeOwnFiles(directory, token);
    removeIfEmpty(directory);
  }
}

function tellPair({ megatestDb: cache, refDb: ref }: CachePair, home: string): void {
  const db = openConnection(defined({ cache, ref }), { busyTimeoutMs: 25 });
  try {
    setNamedHome(db, "cache", home);
    if (ref !== undefined) setNamedHome(db, "ref", home);
  } finally {
    db.close();
  }
}

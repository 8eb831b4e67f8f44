import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { type CachePair, findCache } from "../../../shared/area/cache/cache.ts";
import type { MigrationRow } from "../../../shared/contract/migration-row.ts";
import { toJobsError } from "../../../shared/errors.ts";
import { reopenDatabase } from "../pair/closed.ts";
import { copyAside, snapshotNames } from "../pair/copy-database.ts";
import { divergentCacheFiles } from "../pair/divergent-caches.ts";
import { copyHandedOver } from "../pair/handed-over.ts";
import { gapAbove } from "../pair/id-gap.ts";
import { type Installing, installPair } from "../pair/install.ts";
import { readMark } from "../pair/pair-files.ts";
import { withPairGuard } from "../pair/pair-guard.ts";
import { migrationDirectory } from "../state/migration-files.ts";
import type { MigrationSession } from "../state/migration-session.ts";

export async function installOptions(session: MigrationSession, row: MigrationRow): Promise<Installing> {
  const { area, db, context, token, files } = session;
  const parts = existsSync(files.completed) ? (["area", "completed"] as const) : (["area"] as const);
  return {
    area,
    settings: context.settings,
    token: row.token,
    stepToken: token,
    gapAbove: await session.read(() => gapAbove(db, parts)),
    signal: context.signal,
    failpoint: (name) => context.failpoint(name),
  };
}

/** Installs the area's snapshot, still closed. Call under the pair guard. */
export async function installSnapshot(session: MigrationSession, row: MigrationRow): Promise<CachePair> {
  const snapshot = migrationDirectory(session.area, row.token);
  return await installPair({ ...(await installOptions(session, row)), snapshot, digests: row.digests ?? {} });
}

/** Opens this host's pair, if any, to writers. */
export async function openPair(session: MigrationSession, row: MigrationRow): Promise<void> {
  const pair = await pairToOpen(session, row);
  if (pair !== undefined) await session.attachPair(pair);
  session.keepCacheNewer();
  for (const part of ["ref", "cache"] as const)
    if (session.files[part] !== undefined) await session.commit(part, () => reopenDatabase(session.db, part));
}

/**
 * Returns this host's pair to open, if any. A power cut may have emptied the cache root, leaving the snapshot as the
 * only copy of some rows: a missing pair is restored from it; next to a new one the snapshot becomes a divergent
 * cache.
 */
async function pairToOpen(session: MigrationSession, row: MigrationRow): Promise<CachePair | undefined> {
  const { area, context } = session;
  const pair = findCache(area, context.settings);
  const directory = migrationDirectory(area, row.token);
  if (row.source !== "cache" || !existsSync(join(directory, snapshotNames.cache))) return pair;
  if (pair === undefined) {
    context.log("The cache is missing on this host; restoring it from the copy in the area.");
    return await withPairGuard(context.settings, async () => {
      await session.commit("area", () => {});
      return await installSnapshot(session, row);
    });
  }
  const mark = await session.read(() => readMark(pair).mark);
  if (mark?.token !== row.token) await keepSnapshot(session, directory);
  return pair;
}

/** A concurrent watch on another host counts from 1. */
const snapshotNumber = 999_999;

/**
 * Keeps the snapshot as a divergent cache, the cache last: if it exists, the copy is complete. A cache that is damaged or
 * not to be trusted gets the name unread: the merge names it, and it stays when the migration's other files are removed.
 */
async function keepSnapshot(session: MigrationSession, directory: string): Promise<void> {
  const to = divergentCacheFiles(directory, snapshotNumber);
  await copySnapshot(session, join(directory, snapshotNames.ref), to.ref);
  const cache = join(directory, snapshotNames.cache);
  if (!(await copySnapshot(session, cache, to.cache))) renameSync(cache, to.cache);
}

/** Returns false if the file is damaged or not to be trusted. */
async function copySnapshot(session: MigrationSession, file: string, target: string): Promise<boolean> {
  const { area, token, context } = session;
  const { settings, signal } = context;
  try {
    const copy = await copyHandedOver({ area, settings }, file, signal);
    if (copy === undefined) return true;
    try {
      await copyAside({ from: copy.file, target, stepToken: token, model: area.megatestDb, signal });
    } finally {
      copy.remove();
    }
    return true;
  } catch (thrown) {
    const { code, message } = toJobsError(thrown);
    if (!["corrupt", "not-owner", "conflict"].includes(code)) throw thrown;
    context.log(`The snapshot ${file} cannot be used: ${message}.`);
    return false;
  }
}

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { MigrationRow } from "../../shared/migration-row.ts";
import { plural } from "../../shared/plural.ts";
import { moveOn } from "../move/prepare.ts";
import { Tally } from "../move/tally.ts";
import { mendOverwritten } from "./mend-overwritten.ts";
import { mergeStray } from "./merge-stray.ts";
import { baseFile, migrationDirectory } from "./migration-files.ts";
import { type MigrationPart, read } from "./part.ts";
import { snapshotNames } from "./snapshot.ts";
import { strayFiles } from "./strays.ts";

export interface StrayCounts {
  merged: number;
  kept: number;
}

export interface MergedStrays extends StrayCounts {
  /** Sentences for people: what of them stays where it is. */
  warnings: readonly string[];
  /** Numbers of the strays whose every row is at home now: their copies are needed no more. */
  done: readonly number[];
}

/**
 * On the home, which is the old one where a migration is undone: brings home what was found written at a wrong place, and
 * what a sync from there overwrote in megatest.db. May be repeated: what came home is found there.
 */
export async function mergeStrays(part: MigrationPart, row: MigrationRow): Promise<MergedStrays> {
  const { area, db, context, files, fenceToken, times } = part;
  const done: number[] = [];
  const total = { merged: 0, kept: 0, done, warnings: [] };
  const directory = migrationDirectory(area, row.token);
  const missing =
    files.cache === undefined ? "a cache" : existsSync(files.completed) ? undefined : "completed-runs.db";
  if (missing !== undefined) return { ...total, warnings: notMerged(directory, missing) };
  const move = await read(part, () =>
    moveOn(db, { area, files }, { payload: {}, job: "repair" }, context, new Tally()),
  );
  move.token = fenceToken;
  const beforeCommit = () => times.renew();
  for (const n of strayNumbers(directory)) {
    const { cache: stray, ref } = strayFiles(directory, n);
    // Its own ref moves on with each sync of its own: what it synced would pass for unchanged, also where a sync of the
    // home has overwritten that in megatest.db. Stray 0 parted in an earlier migration, whose files are gone.
    const parted = n === 0 ? [] : [baseFile(area, row.token), join(directory, snapshotNames.ref)];
    const base = [...parted, ref].find((file) => existsSync(file));
    const own = base === ref ? undefined : existsSync(ref) ? ref : null;
    const { merged, kept } = await mergeStray({ move, stray, base, own, beforeCommit });
    total.merged += merged;
    total.kept += kept;
    if (kept === 0) done.push(n);
    context.failpoint("stray-merged");
  }
  total.merged += await mendOverwritten(move, beforeCommit);
  return total;
}

function notMerged(directory: string, missing: string): string[] {
  const count = strayNumbers(directory).length;
  if (count === 0) return [];
  return [
    `${plural(count, "divergent cache")} in ${directory} could not be merged because the home lacks ${missing}; the copies are kept there.`,
  ];
}

/** Numbers of the strays of a migration that were copied to the area, in order. */
export function strayNumbers(directory: string): number[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .flatMap((name) => /^stray-(\d{1,6})\.db$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

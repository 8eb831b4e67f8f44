import { renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { CachePair } from "../../shared/area/cache.ts";
import { createNewLike } from "../../shared/area/ownership.ts";
import { syncDirectory } from "../../shared/area/sync-directory.ts";
import { copyDatabase, leaveWal, syncFile } from "./copy-database.ts";

export interface SnapshotOptions {
  pair: CachePair;
  /** `.mtjobs/migration/<token>` of the area; must exist. */
  directory: string;
  /** Token of the current step, so that an overtaken one writes under another name. */
  partToken: number;
  /** File whose owner and mode the snapshot gets. */
  model: string;
  signal: AbortSignal;
}

export const snapshotNames = { cache: "cache.db", ref: "ref.db" } as const;

/** Copies a closed pair durably to the area. Returns the sizes in bytes. May be repeated. */
export async function writeSnapshot(o: SnapshotOptions): Promise<Partial<Record<"cache" | "ref", number>>> {
  const files = { cache: o.pair.megatestDb, ref: o.pair.refDb };
  const sizes: Partial<Record<"cache" | "ref", number>> = {};
  for (const part of ["cache", "ref"] as const) {
    const target = join(o.directory, snapshotNames[part]);
    const from = files[part];
    if (from !== undefined) sizes[part] = await copyAside({ ...o, from, target });
  }
  return sizes;
}

interface Copying extends Pick<SnapshotOptions, "partToken" | "model" | "signal"> {
  from: string;
  target: string;
}

/** Copies a database to a temporary file, makes it durable and renames it. Returns its size in bytes. */
export async function copyAside({ from, target, partToken, model, signal }: Copying): Promise<number> {
  const temporary = `${target}.${partToken}.tmp`;
  const remove = () => {
    for (const suffix of ["", "-journal"]) rmSync(temporary + suffix, { force: true });
  };
  // Left by this step's earlier attempt.
  remove();
  try {
    createNewLike(temporary, model);
    await copyDatabase(from, temporary, signal);
    leaveWal(temporary);
    syncFile(temporary);
    renameSync(temporary, target);
  } catch (error) {
    remove();
    throw error;
  }
  syncDirectory(join(target, ".."));
  return statSync(target).size;
}

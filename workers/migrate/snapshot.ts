import { renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import type { CachePair } from "../../shared/area/cache.ts";
export async function writeSnapshot(o: {
  pair: CachePair;
  directory: string;
  partToken: number;
  model: string;
  signal: AbortSignal;
}): Promise<Partial<Record<"cache" | "ref", number>>> {
  const bytes: Partial<Record<"cache" | "ref", number>> = {};
  for (const [name, file] of [
    ["cache", o.pair.megatestDb],
    ["ref", o.pair.refDb],
  ] as const) {
    if (file === undefined) continue;
    const temporary = join(o.directory, `${name}.db.${o.partToken}.tmp`);
    rmSync(temporary, { force: true });
    const db = new Database(file);
    await db.backup(temporary);
    db.close();
    renameSync(temporary, join(o.directory, `${name}.db`));
    bytes[name] = statSync(join(o.directory, `${name}.db`)).size;
  }
  return bytes;
}

import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import type { Area } from "../../shared/area/area.ts";
import { type CachePair, cacheAt, cacheDirectories } from "../../shared/area/cache.ts";
import type { FileDigest } from "../../shared/migration-row.ts";
import type { Settings } from "../../shared/settings.ts";
import type { GapIds } from "./id-gap.ts";
export interface InstallOptions {
  area: Area;
  settings: Settings;
  token: number;
  partToken: number;
  snapshot: string;
  digests: Partial<Record<"cache" | "ref", FileDigest>>;
  gapAbove: GapIds;
  signal: AbortSignal;
  failpoint(step: "pair-copied" | "pair-installed"): void;
}
export async function installPair(o: InstallOptions): Promise<CachePair> {
  const directory = cacheDirectories(o.area, o.settings)[0] ?? "";
  mkdirSync(directory, { recursive: true });
  const names = [
    ["cache", "megatest.db"],
    ["ref", "megatest_ref.db"],
  ] as const;
  for (const [part, name] of names) {
    const from = join(o.snapshot, `${part}.db`);
    if (!existsSync(from)) continue;
    const tmp = join(directory, `.mtjobs-${o.token}-${name}`);
    copyFileSync(from, tmp);
    const db = new Database(tmp);
    db.prepare("UPDATE mtjobs_fence SET token = ?").run(o.partToken);
    db.close();
  }
  o.failpoint("pair-copied");
  for (const [, name] of names) {
    const tmp = join(directory, `.mtjobs-${o.token}-${name}`);
    if (existsSync(tmp)) renameSync(tmp, join(directory, name));
    writeFileSync(join(directory, `.ready-${name.replace(".db", "")}`), "x\n");
  }
  o.failpoint("pair-installed");
  return cacheAt(directory) as CachePair;
}
export async function cleanPair(area: Area, settings: Settings, token: number): Promise<void> {
  const directory = cacheDirectories(area, settings)[0] ?? "";
  for (const name of ["megatest.db", "megatest_ref.db"]) {
    rmSync(join(directory, name), { force: true });
    rmSync(join(directory, `.mtjobs-${token}-${name}`), { force: true });
    rmSync(join(directory, `.ready-${name.replace(".db", "")}`), { force: true });
  }
}

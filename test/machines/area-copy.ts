import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type Union, unionOfRuns } from "../support/area.ts";
import type { Machine } from "./machine.ts";
import { run } from "./run.ts";

let copies = 0;

/** The directory of an area's cache, as Megatest has it for the user megatest. */
export function cacheOf(area: string): string {
  return `/tmp/megatest/megatest_localdb/${basename(area)}/${area.replaceAll("/", ".")}`;
}

/**
 * Copies an area at rest out of its homehost and reads every record of it. Another machine may see the area: then its
 * databases are copied from there.
 */
export async function readArea(home: Machine, area: string, directory: string, seen = home): Promise<Union> {
  const into = join(directory, `copy-${++copies}`);
  const places = [
    [seen, area, "area"],
    [home, cacheOf(area), "cache"],
  ] as const;
  for (const [machine, from, name] of places) {
    mkdirSync(join(into, name), { recursive: true });
    const archive = await machine.sh(
      `if [ -d '${from}' ]; then cd '${from}'; tar -cz $(ls | grep -E '[.]db(-journal)?$') | base64 -w0; fi`,
    );
    if (archive === "") continue;
    writeFileSync(join(into, `${name}.tar.gz`), Buffer.from(archive, "base64"));
    await run("tar", ["-xzf", join(into, `${name}.tar.gz`), "-C", join(into, name)]);
  }
  return unionOfRuns({
    megatestDb: join(into, "area", "megatest.db"),
    completedDb: join(into, "area", "completed-runs.db"),
    cacheDb: join(into, "cache", "megatest.db"),
    refDb: join(into, "cache", "megatest_ref.db"),
  });
}

import { mkdirSync, writeFileSync } from "node:fs";
import { basename, extname, join } from "node:path";

/** What of an area lies outside its databases. */
export interface AreaPlace {
  /** Absolute. */
  directory: string;
  areaName: string;
  cacheRoot: string;
  user: string;
  host: string;
  keys: readonly string[];
}

/** The name Megatest gives an area that does not name itself. */
export function areaBaseName(directory: string): string {
  return basename(directory, extname(directory));
}

/** The directory of the cache pair of `user` for the area under the path given. */
export function cacheDirectoryOf(
  place: Pick<AreaPlace, "directory" | "areaName" | "cacheRoot" | "user">,
): string {
  const signature = place.directory.replaceAll("/", ".");
  return join(place.cacheRoot, place.user, "megatest_localdb", place.areaName, signature);
}

/** Writes megatest.config, `.homehost` and `logs/`. */
export function writeAreaFiles(place: AreaPlace): void {
  mkdirSync(join(place.directory, "logs"), { recursive: true });
  writeFileSync(join(place.directory, ".homehost"), `${place.host}\n`);
  writeFileSync(join(place.directory, "megatest.config"), configText(place));
}

/** Marks both databases of a cache pair as initialised, so that no Megatest process creates them anew. */
export function writeReadyMarks(cacheDirectory: string): void {
  for (const name of ["megatest", "megatest_ref"]) {
    writeFileSync(join(cacheDirectory, `.ready-${name}`), "database initialised\n");
  }
}

function configText(place: AreaPlace): string {
  const named = place.areaName === areaBaseName(place.directory) ? [] : [`area-name ${place.areaName}`];
  return [
    "# A made-up area",
    "[fields]",
    ...place.keys.map((key) => `${key} TEXT`),
    "",
    "[setup]",
    ...named,
    `linktree ${join(place.directory, "links")}`,
    "max_concurrent_jobs 50",
    "",
    "[server]",
    "timeout 0.05",
    "",
    "[disks]",
    `disk0 ${join(place.directory, "runs")}`,
    "",
  ].join("\n");
}

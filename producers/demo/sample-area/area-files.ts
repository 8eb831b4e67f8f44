import { mkdirSync, writeFileSync } from "node:fs";
import { basename, extname, join } from "node:path";

export interface SampleLocation {
  /** Absolute. */
  directory: string;
  areaName: string;
  cacheRoot: string;
  user: string;
  host: string;
  keys: readonly string[];
  policies: Readonly<Record<string, string>>;
}

/** Returns Megatest's default name. */
export function areaBaseName(directory: string): string {
  return basename(directory, extname(directory));
}

export function cacheDirectoryOf(
  place: Pick<SampleLocation, "directory" | "areaName" | "cacheRoot" | "user">,
): string {
  const signature = place.directory.replaceAll("/", ".");
  return join(place.cacheRoot, place.user, "megatest_localdb", place.areaName, signature);
}

export function writeAreaFiles(place: SampleLocation): void {
  mkdirSync(join(place.directory, "logs"), { recursive: true });
  writeFileSync(join(place.directory, ".homehost"), `${place.host}\n`);
  writeFileSync(join(place.directory, "megatest.config"), configText(place));
}

/** Keeps Megatest from creating the databases again. */
export function writeReadyMarks(cacheDirectory: string): void {
  for (const name of ["megatest", "megatest_ref"]) {
    writeFileSync(join(cacheDirectory, `.ready-${name}`), "database initialised\n");
  }
}

function configText(place: SampleLocation): string {
  const named = place.areaName === areaBaseName(place.directory) ? [] : [`area-name ${place.areaName}`];
  const policies = Object.entries(place.policies).map(([name, text]) => `${name} ${text}`);
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
    ...(policies.length === 0 ? [] : ["[reduce-records]", ...policies, ""]),
  ].join("\n");
}

import { type Dirent, readdirSync } from "node:fs";
import { join } from "node:path";
import { openAllowedArea } from "../shared/area/area.ts";
import { readAreaId } from "../shared/area/area-id.ts";
import { readHomehost } from "../shared/area/homehost.ts";
import { resolveRoots } from "../shared/area/roots.ts";
import { toJobsError } from "../shared/errors.ts";
import type { Settings } from "../shared/settings.ts";

/** An area below the roots, by what its small files say. */
export interface FoundArea {
  /** Absolute, its links resolved. */
  area: string;
  /** null where no job has worked on it yet. */
  areaId: string | null;
  /** null where it cannot be told. */
  name: string | null;
  homehost: string | null;
  /** Why it cannot be used, where that is so. */
  problem: string | null;
}

export interface FoundAreas {
  areas: FoundArea[];
  /** More was there to look at than is looked at. */
  truncated: boolean;
}

/** Levels below a root at which areas are looked for. */
const deepest = 5;
/** A tree of other files must not keep us for ever. */
const mostDirectories = 20_000;
const mostAreas = 5000;

/**
 * All areas below `settings.areas`, by path. Links to directories are not followed, and nothing is looked for inside
 * an area. Reads only, and no database.
 */
export function findAreas(settings: Pick<Settings, "areas">, env: NodeJS.ProcessEnv): FoundAreas {
  const paths = new Set<string>();
  let waiting = resolveRoots(settings.areas);
  let looked = 0;
  let truncated = false;
  for (let depth = 0; waiting.length > 0 && depth <= deepest; depth++) {
    const below: string[] = [];
    for (const directory of waiting) {
      if (looked >= mostDirectories || paths.size >= mostAreas) truncated = true;
      if (truncated) break;
      looked += 1;
      const entries = listDirectory(directory);
      if (isArea(entries)) paths.add(directory);
      else below.push(...subdirectories(directory, entries));
    }
    waiting = below;
  }
  return { areas: [...paths].sort().map((path) => describe(path, settings, env)), truncated };
}

function listDirectory(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return []; // gone meanwhile, or not ours to read
  }
}

function isArea(entries: readonly Dirent[]): boolean {
  const names = new Set(entries.map(({ name }) => name));
  return names.has("megatest.config") && names.has("megatest.db");
}

function subdirectories(directory: string, entries: readonly Dirent[]): string[] {
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
    .map(({ name }) => join(directory, name));
}

function describe(path: string, settings: Pick<Settings, "areas">, env: NodeJS.ProcessEnv): FoundArea {
  try {
    const area = openAllowedArea(path, settings, env);
    const homehost = readHomehost(area).value ?? null;
    return { area: path, areaId: readAreaId(area), name: area.name, homehost, problem: null };
  } catch (error) {
    return { area: path, areaId: null, name: null, homehost: null, problem: toJobsError(error).message };
  }
}

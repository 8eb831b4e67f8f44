import { existsSync } from "node:fs";
import { normalize, relative, resolve } from "node:path";
import { minimatch } from "minimatch";
import { JobsError } from "../../shared/errors.ts";
import { isInside } from "../../shared/files/roots.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import type { FoundArea, FoundAreas } from "../contract/area.ts";
import { areaPath } from "./area-path.ts";
import { findAreas } from "./find-areas.ts";

/** Returns true if a text names areas by a pattern. A directory of that very name is no pattern. */
export function isPattern(text: string, cwd: string): boolean {
  return /[*?[{]/.test(text) && !existsSync(resolve(cwd, text));
}

interface ChoosePlace {
  settings: Pick<Settings, "areas">;
  cwd: string;
  env: NodeJS.ProcessEnv;
}

/**
 * Returns the areas that a command line names: paths, and patterns for areas below the roots, such as `chips/*`, which
 * are relative to a root. Without any: all areas below the roots.
 *
 * @throws {JobsError} `bad-settings` if roots are needed and not set; `usage` if a pattern matches nothing
 */
export function chooseAreas(given: readonly string[], { settings, cwd, env }: ChoosePlace): FoundAreas {
  const patterns = given.filter((each) => isPattern(each, cwd));
  const paths = given.filter((each) => !patterns.includes(each)).map((each) => areaPath(cwd, each));
  const named = paths.map((area) => ({ area, areaId: null, name: null, homehost: null, problem: null }));
  if (given.length > 0 && patterns.length === 0) return { areas: onePerPath(named), warnings: [] };
  if (settings.areas.length === 0) {
    throw new JobsError(
      "bad-settings",
      "MTJOBS_AREAS is not set: there is no directory to search for areas",
      {
        hint: "set it, or --areas, to the directories that contain the areas; or name the areas themselves",
      },
    );
  }
  const found = findAreas(settings, env);
  if (patterns.length === 0) return found;
  const matching = patterns.flatMap((pattern) => {
    const relativePattern = normalize(pattern);
    const areas = found.areas.filter(
      ({ area }) =>
        minimatch(area, pattern) ||
        // Not joined with the root, whose own name may have signs of a pattern.
        settings.areas
          .map((root) => resolve(root))
          .some((root) => isInside(area, root) && minimatch(relative(root, area), relativePattern)),
    );
    if (areas.length > 0) return areas;
    throw new JobsError("usage", `no area below ${settings.areas.join(":")} matches ${pattern}`, {
      hint: "quote patterns for mtjobs; * matches within one directory, ** any number of them",
    });
  });
  return { areas: onePerPath([...named, ...matching]), warnings: found.warnings };
}

function onePerPath(areas: readonly FoundArea[]): FoundArea[] {
  return [...new Map(areas.map((each) => [each.area, each])).values()];
}

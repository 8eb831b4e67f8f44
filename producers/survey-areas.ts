import { openAllowedArea } from "../shared/area/area.ts";
import { readHomehost } from "../shared/area/homehost.ts";
import { listAreas } from "../shared/area/list-areas.ts";
import { type ErrorDocument, JobsError, toJobsError } from "../shared/errors.ts";
import type { Settings } from "../shared/settings.ts";

/** Where the areas below the roots are at home. */
export interface Survey {
  /** By path; without one where the first to look makes its own host the home. */
  homes: Map<string, string | undefined>;
  /** Areas of which it could not be told. */
  unclear: { area: string; error: ErrorDocument }[];
  /** Sentences on what was not looked at. */
  warnings: string[];
}

/** @throws {JobsError} `bad-settings` where no root is set below which areas could be looked for */
export function assertRoots({ areas }: Settings): void {
  if (areas.length > 0) return;
  throw new JobsError("bad-settings", "no root is known below which to look for areas", {
    hint: "set MTJOBS_AREAS (--areas) as for the workers",
  });
}

/** Looks for all areas below `settings.areas`; changes nothing. */
export function surveyAreas(settings: Settings, env: NodeJS.ProcessEnv): Survey {
  const survey: Survey = { homes: new Map(), unclear: [], warnings: [] };
  for (const path of listAreas(settings.areas, { warn: (sentence) => survey.warnings.push(sentence) })) {
    try {
      survey.homes.set(path, readHomehost(openAllowedArea(path, settings, env)).value);
    } catch (error) {
      survey.unclear.push({ area: path, error: toJobsError(error).toDocument() });
    }
  }
  return survey;
}

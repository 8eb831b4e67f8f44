import { openAllowedArea } from "../shared/area/area.ts";
import { readHomehost } from "../shared/area/homehost.ts";
import { listAreas } from "../shared/area/list-areas.ts";
import { type ErrorDocument, JobsError, toJobsError } from "../shared/errors.ts";
import type { Settings } from "../shared/settings.ts";

export interface Survey {
  /** By path; undefined if the area has no homehost yet. */
  homes: Map<string, string | undefined>;
  /** Areas whose homehost could not be determined. */
  unclear: { area: string; error: ErrorDocument }[];
  /** Sentences on directories that could not be scanned. */
  warnings: string[];
}

/** @throws {JobsError} `bad-settings` if no roots are set to search */
export function assertRoots({ areas }: Settings): void {
  if (areas.length > 0) return;
  throw new JobsError("bad-settings", "no roots to search for areas", {
    hint: "set MTJOBS_AREAS (--areas) as for the workers",
  });
}

/** Finds all areas below `settings.areas` and their homehosts; read-only. */
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

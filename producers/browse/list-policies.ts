import { openAllowedArea } from "../../shared/area/area.ts";
import { readHomehost } from "../../shared/area/homehost.ts";
import { listAreas } from "../../shared/area/list-areas.ts";
import { toJobsError } from "../../shared/errors.ts";
import { policiesOf } from "../areas/status.ts";
import type { ListedPolicy, Policies } from "../contract/schedule.ts";
import { BoundedList, beginningOf, longestName } from "./bounded.ts";
import type { Reading } from "./reading.ts";

const listBytes = 240_000;
const mostProblems = 20;

/**
 * Returns the valid lines of `[reduce-records]` and `[purge-records]` of all areas below the roots, by path, and what
 * is wrong with the others. Reads no database.
 */
export function listPolicies({ settings, env }: Reading): Policies {
  const problems: string[] = [];
  const list = new BoundedList<ListedPolicy>(listBytes);
  let complete = true;
  for (const path of [...listAreas(settings.areas, { warn: (sentence) => problems.push(sentence) })].sort()) {
    try {
      const area = openAllowedArea(path, settings, env);
      const homehost = readHomehost(area).value ?? null;
      for (const job of ["reduce", "purge"] as const) {
        const found = policiesOf(area, job);
        problems.push(...found.problems.map((problem) => `${path}: ${problem}`));
        for (const { name, text, request, everyMs } of found.lines) {
          const shown = beginningOf(text, longestName);
          if (!list.add({ area: path, homehost, job, name, text: shown, request, everyMs })) complete = false;
        }
      }
    } catch (error) {
      problems.push(`${path}: ${toJobsError(error).message}`);
    }
  }
  return {
    policies: list.rows,
    problems: problems.slice(0, mostProblems).map((problem) => beginningOf(problem)),
    complete,
  };
}

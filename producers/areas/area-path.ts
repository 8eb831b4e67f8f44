import { resolve } from "node:path";
import { JobsError } from "../../shared/errors.ts";

/**
 * Returns the absolute path of an area; a relative one is resolved against `cwd`.
 *
 * @throws {JobsError} `usage` if it is empty, which an unset variable causes: the working directory was not meant
 */
export function areaPath(cwd: string, given: string): string {
  if (given !== "") return resolve(cwd, given);
  throw new JobsError("usage", "the path of the area is empty", {
    hint: 'if it comes from a variable, check that it is set; use "." for the working directory',
  });
}

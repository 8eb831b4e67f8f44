import { resolve } from "node:path";
import { JobsError } from "../shared/errors.ts";

/**
 * The absolute path of the area that a caller names; a relative one begins at `cwd`.
 *
 * @throws JobsError `usage` if it is empty, as a variable that is not set leaves it: the working directory was not meant
 */
export function areaPath(cwd: string, given: string): string {
  if (given !== "") return resolve(cwd, given);
  throw new JobsError("usage", "the path of the area is empty", {
    hint: 'if it came from a variable, see that it is set; for the working directory write "."',
  });
}

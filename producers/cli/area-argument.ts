import { statSync } from "node:fs";
import { areaPath } from "../area-path.ts";

/**
 * Tells AREA from what follows it where either may be left out: of one argument, a directory is the area and anything
 * else is not.
 */
export function areaAndMore(
  [first, second]: readonly (string | undefined)[],
  cwd: string,
): { area: string; more: string | undefined } {
  if (first === undefined) return { area: cwd, more: undefined };
  const path = areaPath(cwd, first);
  if (second !== undefined) return { area: path, more: second };
  const isDirectory = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  return isDirectory ? { area: path, more: undefined } : { area: cwd, more: first };
}

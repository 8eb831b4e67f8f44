import { statSync } from "node:fs";
import { areaPath } from "../area-path.ts";

/** Splits the positional arguments when AREA is optional: a single argument is the area if it is a directory. */
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

import { basename, parse } from "node:path";
import { JobsError } from "../errors.ts";
import type { MegatestConfig } from "./config.ts";

/** The name that the config itself gives the area: the same for every user and every path. Undefined: it gives none. */
export function configuredName(config: MegatestConfig): string | undefined {
  return config.get("setup", "area-name") ?? config.get("setup", "testsuite");
}

/**
 * The area's name in cache paths, byte by byte: blanks at its end are part of it. `bad-config` for one that would lead out of
 * the cache root, or cannot be a directory's.
 */
export function areaName(path: string, config: MegatestConfig, env: NodeJS.ProcessEnv): string {
  const name = configuredName(config) ?? env.MT_TESTSUITE_NAME ?? withoutExtension(basename(path));
  const problem = problemOf(name);
  if (problem === undefined) return name;
  throw new JobsError(
    "bad-config",
    `${path}: the area's name ${JSON.stringify(name.slice(0, 300))} ${problem}`,
    {
      hint: "set [setup] area-name in megatest.config to a plain name",
    },
  );
}

function problemOf(name: string): string | undefined {
  if (name.trim() === "" || name === "." || name === ".." || /[/\0\n]/.test(name))
    return "cannot be part of a path";
  // In place of bytes that are no UTF-8: the cache is in a directory with those.
  if (name.includes("\ufffd")) return "is not valid UTF-8, so mtjobs cannot open a cache of that name";
  const bytes = Buffer.byteLength(name);
  return bytes > longestName ? `has ${bytes} bytes; a directory name has at most ${longestName}` : undefined;
}

/** Of a file or directory, in bytes, on all that Megatest runs on. */
export const longestName = 255;

/** `area.v2` → `area`; a name that only begins or ends with a dot has no extension. */
function withoutExtension(base: string): string {
  const { name, ext } = parse(base);
  return ext === "." ? base : name;
}

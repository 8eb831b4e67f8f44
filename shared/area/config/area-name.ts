import { basename, parse } from "node:path";
import { JobsError } from "../../errors.ts";
import type { MegatestConfig } from "./config.ts";

/** Returns the name set in the config, the same for every user and path. */
export function configuredName(config: MegatestConfig): string | undefined {
  return config.get("setup", "area-name") ?? config.get("setup", "testsuite");
}

/**
 * Returns the area's name in cache paths, including trailing blanks.
 *
 * @throws JobsError `bad-config` for a name that leads out of the cache root or is no valid directory name
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
  // The cache's directory has the original bytes.
  if (name.includes("\ufffd")) return "is not valid UTF-8, so mtjobs cannot open a cache of that name";
  const bytes = Buffer.byteLength(name);
  return bytes > longestName ? `has ${bytes} bytes; a directory name has at most ${longestName}` : undefined;
}

/** Maximum bytes of a file name, wherever Megatest runs. */
export const longestName = 255;

/** `area.v2` → `area`; a name with only a leading or trailing dot has no extension. */
function withoutExtension(base: string): string {
  const { name, ext } = parse(base);
  return ext === "." ? base : name;
}

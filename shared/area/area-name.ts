import { basename, parse } from "node:path";
import { JobsError } from "../errors.ts";
import type { MegatestConfig } from "./config.ts";

/** The name that the config itself gives the area: the same for every user and every path. Undefined: it gives none. */
export function configuredName(config: MegatestConfig): string | undefined {
  return config.get("setup", "area-name") ?? config.get("setup", "testsuite");
}

/** The area's name in cache paths. `bad-config` for one that would lead out of the cache root. */
export function areaName(path: string, config: MegatestConfig, env: NodeJS.ProcessEnv): string {
  const name = configuredName(config) ?? env.MT_TESTSUITE_NAME ?? withoutExtension(basename(path));
  if (name === "" || name === "." || name === ".." || /[/\0\n]/.test(name)) {
    throw new JobsError(
      "bad-config",
      `${path}: the area's name ${JSON.stringify(name)} cannot be part of a path`,
      {
        hint: "set [setup] area-name in megatest.config to a plain name",
      },
    );
  }
  return name;
}

/** `area.v2` → `area`; a name that only begins or ends with a dot has no extension. */
function withoutExtension(base: string): string {
  const { name, ext } = parse(base);
  return ext === "." ? base : name;
}

import { lstatSync } from "node:fs";
import { join } from "node:path";
import { toJobsError } from "../../errors.ts";
import { isInside } from "../../files/roots.ts";
import { type MegatestConfig, readConfig } from "./config.ts";
import { policySections } from "./policy-name.ts";

const policySection = policySections.reduce;

/** In a root of areas; in the form of megatest.config. */
const defaultsName = "mtjobs.config";

/** Writable by the group or others. */
const writable = 0o022;

interface DefaultsPlace {
  /** Resolved. */
  realPath: string;
  /** As users write it. */
  areaPath: string;
  /** Resolved roots of areas. */
  roots: readonly string[];
  env: NodeJS.ProcessEnv;
}

/**
 * Gives an area without `[reduce-records]` that of the root it is in, from mtjobs.config there. A file that cannot be
 * read, or that others than the root's owner could have written, is a problem of the policies.
 */
export function withDefaultPolicies(config: MegatestConfig, place: DefaultsPlace): MegatestConfig {
  if (config.names(policySection).length > 0) return config;
  const { realPath, areaPath, roots, env } = place;
  const [root] = roots.filter((each) => isInside(realPath, each)).sort((a, b) => b.length - a.length);
  if (root === undefined) return config;
  const file = join(root, defaultsName);
  const problem = (why: string) => ({ ...config, defaultsProblem: `${file} is ignored: ${why}` });
  const stat = lstatSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return config;
  if (!stat.isFile()) return problem("it is not a regular file");
  const owners = [0, lstatSync(root).uid];
  if (!owners.includes(stat.uid) || (stat.mode & writable) !== 0)
    return problem(`it must belong to the owner of ${root} or to root, and only its owner may write to it`);
  try {
    const defaults = readConfig({ file, areaPath, roots, env });
    const of = (section: string) => (section === policySection ? defaults : config);
    return {
      // Each area asks for purges itself.
      ...(defaults.names(policySections.purge).length === 0
        ? {}
        : {
            defaultsProblem: `[${policySections.purge}] in ${file} is ignored: it belongs into an area's megatest.config`,
          }),
      get: (section, name) => of(section).get(section, name),
      section: (section) => of(section).section(section),
      names: (section) => of(section).names(section),
      warnings: [...config.warnings, ...defaults.warnings],
    };
  } catch (error) {
    return problem(toJobsError(error).message);
  }
}

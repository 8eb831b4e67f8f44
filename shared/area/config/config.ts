import { JobsError } from "../../errors.ts";
import { configLines } from "./config-lines.ts";
import { type ReaderState, takeLine } from "./config-values.ts";
import type { Resolved } from "./directives.ts";

/** An area's megatest.config, read without running any command. */
export interface MegatestConfig {
  /**
   * Returns the last value, including trailing blanks, as Megatest does; "" for a name without a value.
   *
   * @throws JobsError `bad-config` if the value needs a directive that is never run
   */
  get(section: string, name: string): string | undefined;
  /** Returns all values of a section in order. Throws as `get`. */
  section(name: string): ReadonlyMap<string, string>;
  /** Returns the names in a section. */
  names(section: string): string[];
  /** What was not read, such as missing includes. */
  warnings: readonly string[];
  /** Why the defaults of the area's root do not count, if there are any. */
  defaultsProblem?: string;
}

export interface ConfigSources {
  /** Absolute path of megatest.config. */
  file: string;
  /** The area's path as its users write it. */
  areaPath: string;
  /** Resolved roots of includes; undefined: no limit. */
  roots?: readonly string[] | undefined;
  env: NodeJS.ProcessEnv;
}

/** Reads a config in bounded time and memory. @throws JobsError `bad-config` */
export function readConfig({ file, areaPath, roots, env }: ConfigSources): MegatestConfig {
  const state: ReaderState = {
    areaPath,
    env,
    sections: new Map(),
    warnings: [],
    section: "default",
    continued: undefined,
    indent: undefined,
    trims: false,
    expanded: 0,
    work: 0,
  };
  for (const line of configLines(file, roots, state)) takeLine(state, line);
  return describe(state, file);
}

function describe({ sections, warnings }: ReaderState, file: string): MegatestConfig {
  const known = (section: string, name: string, value: Resolved): string => {
    if ("text" in value) return value.text;
    throw new JobsError("bad-config", `${file}: [${section}] ${name} ${value.unresolved}`, {
      hint: "write the literal value in the config, or set the variable it needs in the environment of mtjobs",
      details: { section, name },
    });
  };
  return {
    get(section, name) {
      const value = sections.get(section)?.get(name);
      return value === undefined ? undefined : known(section, name, value);
    },
    section: (section) =>
      new Map([...(sections.get(section) ?? [])].map(([name, value]) => [name, known(section, name, value)])),
    names: (section) => [...(sections.get(section)?.keys() ?? [])],
    warnings,
  };
}

/** Returns the names in `[fields]`, which are columns of `runs`. The database itself is authoritative. */
export function targetKeys(config: MegatestConfig): string[] {
  return config.names("fields");
}

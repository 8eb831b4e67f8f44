import { JobsError } from "../errors.ts";
import { configLines } from "./config-lines.ts";
import { type ReaderState, takeLine } from "./config-values.ts";
import type { Resolved } from "./directives.ts";

/** An area's megatest.config, read whole. No directive that runs something was run. */
export interface MegatestConfig {
  /**
   * The last value given, with what blanks it ends in, as Megatest has it; "" for a name without one; undefined where the
   * config does not name it.
   * A value that needs a directive that is never run throws `bad-config`.
   */
  get(section: string, name: string): string | undefined;
  /** All values of a section in the order given, empty where there is none; throws as `get` does. */
  section(name: string): ReadonlyMap<string, string>;
  /** The names in a section, whatever their values need. */
  names(section: string): string[];
  /** Sentences on what was not read: includes that are missing or made by a directive. */
  warnings: readonly string[];
}

export interface ConfigSources {
  /** Absolute path of megatest.config. */
  file: string;
  /** The area as its users name it. */
  areaPath: string;
  /** Resolved roots outside which no include is read; undefined: anywhere. */
  roots?: readonly string[] | undefined;
  env: NodeJS.ProcessEnv;
}

/** Reads a config with its includes in bounded time and memory; `bad-config` for what cannot be read. */
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

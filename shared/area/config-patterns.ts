import { JobsError } from "../errors.ts";
import { type ReaderState, setValue } from "./config-values.ts";

/** Values copied, and sections compared, before a config counts as hostile. */
const mostWork = 200_000;
const longestName = 200;

/**
 * Applies the section in hand to those before it, if its name is a pattern: with a `%`, or between two slashes a regular
 * expression. Its values become those of every section that matches as a whole, and it is none itself. As Megatest does at
 * the next section's header and at the end of a file.
 *
 * @throws JobsError `bad-config` where patterns, sections and values multiply
 */
export function applyPattern(state: ReaderState): void {
  const name = state.section;
  if (!name.includes("%") && !/^\/.*\/$/s.test(name)) return;
  const values = state.sections.get(name);
  state.sections.delete(name);
  if (values === undefined || values.size === 0) return;
  const pattern = patternOf(name);
  if (pattern === undefined)
    state.warnings.push(`[${shortened(name)}] is a section pattern that mtjobs does not evaluate`);
  state.work += state.sections.size * values.size;
  if (state.work > mostWork) {
    throw new JobsError("bad-config", `the config of ${state.areaPath} has too many section patterns`);
  }
  for (const section of state.sections.keys()) {
    if (pattern === undefined) {
      const unresolved = `may be set by [${shortened(name)}], a section pattern that mtjobs does not evaluate`;
      for (const key of values.keys()) setValue(state, section, key, { unresolved });
    } else if (section.length <= longestName && pattern.test(section)) {
      for (const [key, value] of values) setValue(state, section, key, value);
    }
  }
}

const shortened = (name: string) => name.slice(0, 80);

const atom = "(?:[\\w :,;=@~<>!\"'#&%/-]|\\.|\\\\[^\\w]|\\\\[dwsDWS]|\\[\\^?[\\w :.-]+\\])[*+?]?";
const harmless = new RegExp(`^(?:${atom}|[()|^$](?![*+?{]))*$`);

/** Undefined for one that may take for ever: with repeated groups, or with more than two repetitions. */
function patternOf(name: string): RegExp | undefined {
  // Megatest replaces the first alone.
  const source = name.includes("%") ? name.replace("%", ".*") : name.slice(1, -1);
  const repetitions = source.match(/[*+]/g)?.length ?? 0;
  if (source.length > longestName || repetitions > 2 || !harmless.test(source)) return undefined;
  try {
    return new RegExp(`^(?:${source})$`, "s");
  } catch {
    return undefined;
  }
}

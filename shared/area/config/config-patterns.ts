import { JobsError } from "../../errors.ts";
import { type ReaderState, setValue } from "./config-values.ts";

/** Limit of values copied and sections compared. */
const mostWork = 200_000;
const longestName = 200;

/**
 * Applies the current section to earlier ones if its name is a pattern: with a `%`, or a regular expression between
 * slashes. Its values are copied to matching sections, and it is dropped, as in Megatest.
 *
 * @throws JobsError `bad-config` if patterns, sections and values multiply too far
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

/** Returns undefined for a pattern that may take exponential time: repeated groups, or more than two repetitions. */
function patternOf(name: string): RegExp | undefined {
  // Like Megatest, only the first.
  const source = name.includes("%") ? name.replace("%", ".*") : name.slice(1, -1);
  const repetitions = source.match(/[*+]/g)?.length ?? 0;
  if (source.length > longestName || repetitions > 2 || !harmless.test(source)) return undefined;
  try {
    return new RegExp(`^(?:${source})$`, "s");
  } catch {
    return undefined;
  }
}

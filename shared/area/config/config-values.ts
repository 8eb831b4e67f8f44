import { JobsError } from "../../errors.ts";
import { type Resolved, resolveDirectives } from "./directives.ts";

/** A line, joined with the next after a trailing backslash. */
export interface ConfigLine {
  text: string;
  /** `file:line`, for messages. */
  where: string;
}

/** State of the reader. As in Megatest, directives see only earlier lines. */
export interface ReaderState {
  readonly areaPath: string;
  readonly env: NodeJS.ProcessEnv;
  readonly sections: Map<string, Map<string, Resolved>>;
  readonly warnings: string[];
  section: string;
  /** Name whose value an indented line continues. */
  continued: string | undefined;
  /** Indent of the first such line, not part of the value. */
  indent: string | undefined;
  /** Remove trailing blanks: `[configf:settings trim-trailing-spaces yes]`. */
  trims: boolean;
  /** Characters of all lines so far, after directives. */
  expanded: number;
  /** Sections compared with patterns, times values. */
  work: number;
}

/** Word separators: ASCII only, as in Megatest. */
const blanks = "[ \\t\\v\\f\\r]";
const comment = new RegExp(`^${blanks}*#(?!\\{)`);
const indented = new RegExp(`^(${blanks}+)(.*)$`, "s");
const nameAndRest = new RegExp(`^([^ \\t\\v\\f\\r]+)(${blanks}*)(.*)$`, "s");

/** Removes trailing blanks by hand: a regular expression would be quadratic. */
export function trimBlankEnd(text: string): string {
  let end = text.length;
  while (end > 0 && " \t\v\f\r".includes(text[end - 1] ?? "x")) end--;
  return text.slice(0, end);
}

export function takeSetting(state: ReaderState, setting: string, value: string): void {
  if (setting === "trim-trailing-spaces") state.trims = value !== "no";
}

const maxExpanded = 8 * 1024 * 1024;

/** Handles a comment, `name value` or a continuation. */
export function takeLine(state: ReaderState, { text, where }: ConfigLine): void {
  const before = state.continued;
  const indent = state.indent;
  state.continued = undefined;
  state.indent = undefined;
  if (trimBlankEnd(text) === "" || comment.test(text)) return;
  const value = resolveText(state, text);
  const whole = "text" in value ? value.text : text;
  const line = state.trims ? trimBlankEnd(whole) : whole;
  const more = indented.exec(line);
  if (more !== null) {
    const [, lead = "", rest = ""] = more;
    const deeper = indent === undefined ? "" : lead.replace(indent, "");
    continueValue(state, before, "text" in value ? { text: deeper + rest } : value);
    state.continued = before;
    state.indent = indent ?? lead;
    return;
  }
  const [, name = "", gap = "", rest = ""] = nameAndRest.exec(line) ?? [];
  if (name.includes("#{")) {
    state.warnings.push(`${where}: a name that contains a directive; skipped`);
    return;
  }
  const runs = /^\[system\s/.test(rest) && trimBlankEnd(rest).endsWith("]");
  // The blanks are then the value.
  const plain = runs
    ? { unresolved: "needs [system …], which mtjobs never runs" }
    : { text: rest === "" ? gap : rest };
  if (state.section === "configf:settings" && "text" in plain) takeSetting(state, name, plain.text);
  setValue(state, state.section, name, "text" in value ? plain : value);
  state.continued = name;
}

/**
 * Resolves safe directives.
 *
 * @throws JobsError `bad-config` if all texts together get too large
 */
export function resolveText(state: ReaderState, text: string): Resolved {
  const value = resolveDirectives(text, {
    areaPath: state.areaPath,
    getenv: (name) => fromOverride(state, name) ?? fromEnvironment(name, state.env),
    get: (section, name) =>
      state.sections.get(section)?.get(name) ?? {
        unresolved: `needs [${section}] ${name}, which is not set`,
      },
  });
  state.expanded += "text" in value ? value.text.length : 0;
  if (state.expanded > maxExpanded) {
    throw new JobsError(
      "bad-config",
      `the config of ${state.areaPath} expands to more than ${maxExpanded} characters`,
    );
  }
  return value;
}

function continueValue(state: ReaderState, name: string | undefined, more: Resolved): void {
  const value = name === undefined ? undefined : state.sections.get(state.section)?.get(name);
  if (name === undefined || value === undefined || "unresolved" in value) return;
  setValue(state, state.section, name, "text" in more ? { text: `${value.text}\n${more.text}` } : more);
}

export function setValue(state: ReaderState, inSection: string, name: string, value: Resolved): void {
  const section = state.sections.get(inSection) ?? new Map<string, Resolved>();
  state.sections.set(inSection, section);
  section.delete(name); // move a repeated name to the end: order matters for [fields]
  section.set(name, value);
}

/** Reads [env-override], which Megatest exports through a shell: only plain values are known. */
function fromOverride(state: ReaderState, name: string): Resolved | undefined {
  const value = state.sections.get("env-override")?.get(name);
  if (value === undefined || "unresolved" in value) return value;
  // Like the shell's echo.
  if (/^[\w/.:,@%+=\t -]*$/.test(value.text)) return { text: value.text.trim().replace(/[\t ]+/g, " ") };
  return { unresolved: `needs $${name}, which a shell would expand` };
}

/** Hides mtjobs' own settings from configs: they may hold secrets. */
function fromEnvironment(name: string, env: NodeJS.ProcessEnv): Resolved {
  const value = name.startsWith("MTJOBS_") ? undefined : env[name];
  return value === undefined ? { unresolved: `needs $${name}, which is not set here` } : { text: value };
}

import { JobsError } from "../errors.ts";
import { type Resolved, resolveDirectives } from "./directives.ts";

/** One logical line: joined where it ended in a backslash. */
export interface ConfigLine {
  text: string;
  /** `file:line`, for messages. */
  where: string;
}

/** What a config says up to the line in hand: a directive sees only what stands before it, as in Megatest. */
export interface ReaderState {
  readonly areaPath: string;
  readonly env: NodeJS.ProcessEnv;
  readonly sections: Map<string, Map<string, Resolved>>;
  readonly warnings: string[];
  section: string;
  /** Name that an indented line would continue. */
  continued: string | undefined;
  /** Blanks at the beginning of the first such line, which are not part of the value. */
  indent: string | undefined;
  /** Whether blanks at the end of a line go, as `[configf:settings trim-trailing-spaces yes]` wants it from there on. */
  trims: boolean;
  /** Characters of all lines so far with their directives resolved. */
  expanded: number;
  /** Sections compared with patterns so far, times values. */
  work: number;
}

/** What separates words and may end a line: bytes of ASCII, and none of another encoding's. */
const blanks = "[ \\t\\v\\f\\r]";
const comment = new RegExp(`^${blanks}*#(?!\\{)`);
const indented = new RegExp(`^(${blanks}+)(.*)$`, "s");
const nameAndRest = new RegExp(`^([^ \\t\\v\\f\\r]+)(${blanks}*)(.*)$`, "s");

/** Without blanks at its end; by hand, for the regular expression is quadratic on a line of blanks. */
export function trimBlankEnd(text: string): string {
  let end = text.length;
  while (end > 0 && " \t\v\f\r".includes(text[end - 1] ?? "x")) end--;
  return text.slice(0, end);
}

/** Sets `[configf:settings trim-trailing-spaces VALUE]`; others mean nothing to us. */
export function takeSetting(state: ReaderState, setting: string, value: string): void {
  if (setting === "trim-trailing-spaces") state.trims = value !== "no";
}

const maxExpanded = 8 * 1024 * 1024;

/** Takes a line that is no header: a comment, `name value`, or the continuation of the value above. */
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
  // Of a name without a value the blanks are the value.
  const plain = runs
    ? { unresolved: "needs [system …], which mtjobs never runs" }
    : { text: rest === "" ? gap : rest };
  if (state.section === "configf:settings" && "text" in plain) takeSetting(state, name, plain.text);
  setValue(state, state.section, name, "text" in value ? plain : value);
  state.continued = name;
}

/** A text with its safe directives resolved; `bad-config` once all texts together grow out of bounds. */
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

/** Gives a section a value, the last so far. */
export function setValue(state: ReaderState, inSection: string, name: string, value: Resolved): void {
  const section = state.sections.get(inSection) ?? new Map<string, Resolved>();
  state.sections.set(inSection, section);
  section.delete(name); // a name given again moves to the end, which matters for [fields]
  section.set(name, value);
}

/** Megatest exports [env-override] as it reads it, through a shell: only a plain value is known to us. */
function fromOverride(state: ReaderState, name: string): Resolved | undefined {
  const value = state.sections.get("env-override")?.get(name);
  if (value === undefined || "unresolved" in value) return value;
  // The shell's echo leaves one blank between two words.
  if (/^[\w/.:,@%+=\t -]*$/.test(value.text)) return { text: value.text.trim().replace(/[\t ]+/g, " ") };
  return { unresolved: `needs $${name}, which a shell would expand` };
}

/** Our own settings may hold secrets: to a config they are not set. */
function fromEnvironment(name: string, env: NodeJS.ProcessEnv): Resolved {
  const value = name.startsWith("MTJOBS_") ? undefined : env[name];
  return value === undefined ? { unresolved: `needs $${name}, which is not set here` } : { text: value };
}

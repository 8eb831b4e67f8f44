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
  /** Characters of all lines so far with their directives resolved. */
  expanded: number;
}

const maxExpanded = 8 * 1024 * 1024;

/** Takes a line that is no header: a comment, `name value`, or the continuation of the value above. */
export function takeLine(state: ReaderState, { text, where }: ConfigLine): void {
  const before = state.continued;
  state.continued = undefined;
  if (text.trim() === "" || /^\s*#(?!\{)/.test(text)) return;
  const value = resolveText(state, text);
  const line = "text" in value ? value.text : text;
  if (/^\s/.test(line)) {
    continueValue(state, before, "text" in value ? { text: line.trim() } : value);
    state.continued = before;
    return;
  }
  const name = /^\S+/.exec(line)?.[0] ?? "";
  if (name.includes("#{")) {
    state.warnings.push(`${where}: a name made by a directive is skipped`);
    return;
  }
  const rest = line.slice(name.length).trim();
  const runs = /^\[system\s/.test(rest) && rest.endsWith("]");
  const plain = runs ? { unresolved: "needs [system …], which mtjobs never runs" } : { text: rest };
  setValue(state, name, "text" in value ? plain : value);
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
    throw new JobsError("bad-config", `the config of ${state.areaPath} grows over ${maxExpanded} characters`);
  }
  return value;
}

function continueValue(state: ReaderState, name: string | undefined, more: Resolved): void {
  const value = name === undefined ? undefined : state.sections.get(state.section)?.get(name);
  if (name === undefined || value === undefined || "unresolved" in value) return;
  setValue(state, name, "text" in more ? { text: `${value.text}\n${more.text}` } : more);
}

function setValue(state: ReaderState, name: string, value: Resolved): void {
  const section = state.sections.get(state.section) ?? new Map<string, Resolved>();
  state.sections.set(state.section, section);
  section.delete(name); // a name given again moves to the end, which matters for [fields]
  section.set(name, value);
}

/** Megatest exports [env-override] as it reads it, through a shell: only a plain value is known to us. */
function fromOverride(state: ReaderState, name: string): Resolved | undefined {
  const value = state.sections.get("env-override")?.get(name);
  if (value === undefined || "unresolved" in value) return value;
  if (/^[\w/.:,@%+= -]*$/.test(value.text)) return value;
  return { unresolved: `needs $${name}, which a shell would expand` };
}

/** Our own settings may hold secrets: to a config they are not set. */
function fromEnvironment(name: string, env: NodeJS.ProcessEnv): Resolved {
  const value = name.startsWith("MTJOBS_") ? undefined : env[name];
  return value === undefined ? { unresolved: `needs $${name}, which is not set here` } : { text: value };
}

import { dirname, resolve } from "node:path";
import { JobsError, systemCode } from "../../errors.ts";
import { readBounded } from "../../files/read-bounded.ts";
import { resolveInside } from "../../files/roots.ts";
import { applyPattern } from "./config-patterns.ts";
import {
  type ConfigLine,
  type ReaderState,
  resolveText,
  takeSetting,
  trimBlankEnd,
} from "./config-values.ts";

const maxDepth = 16;
const maxFiles = 200;
const maxFileBytes = 1024 * 1024;
const maxTotalBytes = 4 * maxFileBytes;

interface Budget {
  files: number;
  bytes: number;
}

/**
 * Yields the lines of a config and its includes; section headers change `state.section`. Like Megatest, skips missing
 * includes. Refuses includes outside the roots (`outside-roots`), without whose values the area could be mistaken for
 * another.
 */
export function* configLines(
  file: string,
  roots: readonly string[] | undefined,
  state: ReaderState,
  depth = 0,
  budget: Budget = { files: 0, bytes: 0 },
): Generator<ConfigLine> {
  if (depth > maxDepth || ++budget.files > maxFiles) {
    throw new JobsError("bad-config", `${file}: includes are nested too deeply or too many`, {
      hint: `at most ${maxDepth} levels and ${maxFiles} files are read; check for a file that includes itself`,
    });
  }
  for (const line of splitLines(file, readText(file, budget))) {
    const header = headerOf(line.text);
    if (header === undefined) {
      yield line;
      continue;
    }
    const included = takeHeader(state, header, line.where);
    if (included === undefined) continue;
    const path = resolve(dirname(file), atHome(included, state.env));
    const section = state.section;
    if (resolveInside(path, roots) === undefined) {
      state.warnings.push(`${line.where}: include ${included} was not found; skipped`);
    } else yield* configLines(path, roots, state, depth + 1, budget);
    // A section that an include opens ends with it.
    state.section = section;
  }
  applyPattern(state);
}

/** Expands a leading tilde as Megatest's Scheme does. */
function atHome(path: string, env: NodeJS.ProcessEnv): string {
  if (!path.startsWith("~")) return path;
  return path.startsWith("~/") ? `${env.HOME ?? ""}${path.slice(1)}` : `/home/${path.slice(1)}`;
}

function headerOf(text: string): string | undefined {
  const line = trimBlankEnd(text);
  return line.startsWith("[") && line.endsWith("]") ? line.slice(1, -1) : undefined;
}

/** Enters a section, or returns the path to include. */
function takeHeader(state: ReaderState, header: string, where: string): string | undefined {
  state.continued = undefined;
  const name = resolveText(state, header);
  if ("unresolved" in name) {
    state.warnings.push(`${where}: [${header}] ${name.unresolved}; skipped`);
    // These lines belong to an unknown section.
    if (!/^include\s/.test(header)) enter(state, `[${header}]`);
    return undefined;
  }
  if (/^include\s/.test(name.text)) return name.text.slice("include".length).trim();
  const setting = /^configf:settings\s+(\S+)\s+(\S+)$/.exec(name.text);
  if (setting !== null) takeSetting(state, setting[1] ?? "", setting[2] ?? "");
  else if (/^scriptinc\s/.test(name.text)) {
    state.warnings.push(`${where}: [${name.text}] is never run; skipped`);
  } else enter(state, name.text);
  return undefined;
}

function enter(state: ReaderState, section: string): void {
  applyPattern(state);
  state.section = section;
  // A pattern also matches empty sections.
  if (!state.sections.has(section)) state.sections.set(section, new Map());
}

function readText(file: string, budget: Budget): string {
  let text: string;
  try {
    text = readBounded(file, { maxBytes: maxFileBytes, code: "bad-config" });
  } catch (error) {
    if (error instanceof JobsError) throw error;
    throw new JobsError("bad-config", `${file} cannot be read (${systemCode(error)})`, {
      cause: error,
    });
  }
  budget.bytes += text.length;
  if (budget.bytes > maxTotalBytes) {
    throw new JobsError("bad-config", `${file}: the config and its includes are too large`);
  }
  if (text.includes("\0")) throw new JobsError("bad-config", `${file} is not a text file`);
  return text;
}

function* splitLines(file: string, text: string): Generator<ConfigLine> {
  let pending = "";
  let number = 0;
  for (const line of text.split(/\r?\n/)) {
    number++;
    if (line.endsWith("\\")) {
      pending += line.slice(0, -1);
      continue;
    }
    yield { text: pending + line, where: `${file}:${number}` };
    pending = "";
  }
  if (pending !== "") yield { text: pending, where: `${file}:${number}` };
}

/** Lookups that a directive may need. */
export interface DirectiveScope {
  /** For `#{mtrah sub/path}` and `#{getenv MT_RUN_AREA_HOME}`. */
  areaPath: string;
  getenv(name: string): Resolved;
  get(section: string, name: string): Resolved;
}

export type Resolved = { text: string } | { unresolved: string };

const safe = new Set(["getenv", "gv", "get", "g", "mtrah"]);
/** Never resolved: they run a command, evaluate code or read other files. */
const unsafe = new Set([
  "scheme",
  "scm",
  "system",
  "shell",
  "sh",
  "realpath",
  "rp",
  "runconfigs-get",
  "rget",
]);
const maxDirectives = 200;
const maxLength = 64 * 1024;

/**
 * Resolves `#{getenv X}`, `#{get section name}` and `#{mtrah path}`, innermost and last first, as Megatest does.
 * Unsafe directives and exceeded limits leave the text unresolved. Other `#{…}` are plain text.
 */
export function resolveDirectives(line: string, scope: DirectiveScope): Resolved {
  let text = line;
  for (let step = 0; step < maxDirectives; step++) {
    const found = lastDirective(text);
    if (found === undefined) return { text };
    if (unsafe.has(found.word)) return { unresolved: `needs #{${found.word} …}, which mtjobs never runs` };
    const value = resolveOne(found.word, found.argument, scope);
    if ("unresolved" in value) return value;
    text = text.slice(0, found.start) + value.text + text.slice(found.end);
    if (text.length > maxLength) return { unresolved: `expands to more than ${maxLength} characters` };
  }
  return { unresolved: `contains more than ${maxDirectives} directives` };
}

function resolveOne(word: string, argument: string, scope: DirectiveScope): Resolved {
  if (word === "mtrah") return { text: argument === "" ? scope.areaPath : `${scope.areaPath}/${argument}` };
  if (word === "getenv" || word === "gv") {
    const name = argument.trim();
    return name === "MT_RUN_AREA_HOME" ? { text: scope.areaPath } : scope.getenv(name);
  }
  const [section, name] = argument.trim().split(/\s+/);
  if (section === undefined || name === undefined)
    return { unresolved: `contains #{${word} ${argument}} without a name` };
  return scope.get(section, name);
}

interface Directive {
  start: number;
  end: number;
  word: string;
  argument: string;
}

/** Parses by hand: regular expressions would be quadratic on a hostile line. */
function lastDirective(text: string): Directive | undefined {
  for (
    let start = text.lastIndexOf("#{");
    start >= 0;
    start = start > 0 ? text.lastIndexOf("#{", start - 1) : -1
  ) {
    const close = text.indexOf("}", start);
    const open = text.indexOf("{", start + 2);
    if (close < 0 || (open >= 0 && open < close)) continue;
    const inner = text.slice(start + 2, close);
    const word = /^[\w-]+(?=\s)/.exec(inner)?.[0];
    if (word === undefined || !(safe.has(word) || unsafe.has(word))) continue;
    return { start, end: close + 1, word, argument: inner.slice(word.length).trimStart() };
  }
  return undefined;
}

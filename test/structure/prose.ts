import { lineAt, type Node, type Source, walk } from "./sources.ts";

/** One piece of English: of a source a string, a template with its values as `…`, a comment, or a test's title; of a page a line. */
export interface Prose {
  path: string;
  line: number;
  kind: "string" | "comment" | "title" | "page";
  text: string;
}

/**
 * Words and turns that the project does not use, each with what stands instead. They once filled its messages:
 * a reader had to read them twice.
 */
export const oldRegister: readonly { pattern: RegExp; instead: string }[] = [
  { pattern: /\bof ours\b/i, instead: "our …, mtjobs" },
  { pattern: /\bnobody\b/i, instead: "no process, no user, nothing; or say who must not" },
  { pattern: /\bwhoever\b/i, instead: "the one that, any user who" },
  { pattern: /\bso long\b/i, instead: "until then, for that time" },
  { pattern: /\b(?:came|come|comes) to life\b/i, instead: "became active" },
  { pattern: /\bstrangers?\b/i, instead: "reused id; another user" },
  { pattern: /\bstrays?\b/i, instead: "divergent cache" },
  { pattern: /\bbears?\b/i, instead: "allow, accept" },
  { pattern: /\bmend(?:s|ed|ing)?\b/i, instead: "repair" },
  { pattern: /\bby (?:itself|themselves)\b/i, instead: "automatically; alone" },
  { pattern: /\bthe name of no\b/i, instead: "does not name a" },
  { pattern: /\bwithout a word\b/i, instead: "without a message" },
  { pattern: /\bnone but\b/i, instead: "only" },
  { pattern: /\bfor ever\b/i, instead: "forever" },
  { pattern: /\boutwait/i, instead: "retry while busy" },
  { pattern: /\bthe doctor is looking\b/i, instead: "checking" },
  {
    pattern: /\blest\b|\bthereof\b|\bwherein\b|\bwhence\b|\bhence\b/i,
    instead: "so that … not; of it; in which",
  },
  // Of a place it is right: "continues where it stopped".
  { pattern: /\bwhere (?:there|they|that|no|none|nothing|one|both|neither|either)\b/i, instead: "if, when" },
];

/** All English of a source. Strings without a space between two words are names, not English. */
export function proseOf(source: Source): Prose[] {
  const found: Prose[] = source.comments.map(({ value, start }) => ({
    path: source.path,
    line: lineAt(source, start),
    kind: "comment",
    text: value,
  }));
  walk(source.program as unknown as Node, (node) => {
    const text = textOf(node);
    if (text === undefined || !/[a-z]+ [a-z]+/.test(text) || isSql(text)) return;
    found.push({ path: source.path, line: lineAt(source, node.start), kind: "string", text });
  });
  return found;
}

/** The titles and comments of a test file, without code in backticks. Its other strings are data. */
export function proseOfTest(source: Source): Prose[] {
  const found = proseOf(source).filter(({ kind }) => kind === "comment");
  walk(source.program as unknown as Node, (node) => {
    const title =
      node.type === "CallExpression" && isTestFunction(node) ? (node.arguments as Node[])[0] : undefined;
    const text = title && textOf(title);
    if (title === undefined || text === undefined) return;
    found.push({ path: source.path, line: lineAt(source, title.start), kind: "title", text });
  });
  return found.map((prose) => ({ ...prose, text: prose.text.replaceAll(/`[^`]*`/g, "`…`") }));
}

/** True for a call of `it`, `describe` or `test`, also through `.each(…)`, `.runIf(…)` and the like. */
function isTestFunction(call: Node): boolean {
  let name = call.callee as Node;
  while (name.type !== "Identifier") {
    if (name.type === "CallExpression") name = name.callee as Node;
    else if (name.type === "MemberExpression") name = name.object as Node;
    else return false;
  }
  return ["it", "describe", "test"].includes(name.name as string);
}

function textOf(node: Node): string | undefined {
  if (node.type === "Literal") return typeof node.value === "string" ? node.value : undefined;
  if (node.type !== "TemplateLiteral") return undefined;
  return (node.quasis as { value: { raw: string } }[]).map(({ value }) => value.raw).join("…");
}

/** SQL has English words in capitals. */
function isSql(text: string): boolean {
  return /\b(?:SELECT|INSERT|UPDATE|DELETE|WHERE|FROM|VALUES|CREATE|ATTACH|PRAGMA|EXISTS|JOIN|IS NOT|RAISE|AND|BETWEEN)\b/.test(
    text,
  );
}

/** The English of a Markdown page, line by line, without code, addresses of links. */
export function proseOfPage(path: string, text: string): Prose[] {
  const blank = (code: string) => code.replaceAll(/[^\n]/g, " ");
  const english = text
    .replaceAll(/^```.*?^```$/gms, blank)
    .replaceAll(/`[^`]*`/g, blank)
    .replaceAll(/\]\([^)]*\)/g, blank);
  return english.split("\n").map((line, index) => ({ path, line: index + 1, kind: "page", text: line }));
}

/** Uses of the old register, as `path:line: "word" (instead)`. */
export function oldWords(proses: readonly Prose[]): string[] {
  return proses.flatMap(({ path, line, text }) =>
    oldRegister.flatMap(({ pattern, instead }) => {
      const all = new RegExp(pattern.source, `${pattern.flags}g`);
      return [...text.matchAll(all)].map(([word]) => `${path}:${line}: "${word}": ${instead}`);
    }),
  );
}

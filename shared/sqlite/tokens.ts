import { foldName, upperName } from "./names.ts";
export interface Token {
  kind: "word" | "quoted-name" | "string" | "number" | "parameter" | "symbol";
  /** As written. */
  text: string;
  /** Upper case for a word; a quoted name or a string without its quotes; else as written. */
  value: string;
  start: number;
  end: number;
}

/**
 * Splits SQL by SQLite's rules; skips comments and blanks. An invalid character becomes a symbol, which SQLite
 * reports.
 */
export function tokenize(sql: string): Token[] {
  const tokens: Token[] = [];
  const scanner = new RegExp(patterns, "gsuy");
  while (scanner.lastIndex < sql.length) {
    const start = scanner.lastIndex;
    const match = scanner.exec(sql);
    if (match === null) break;
    const text = match[0];
    const groups = match.groups ?? {};
    if (groups.blank !== undefined) continue;
    tokens.push({ ...describe(text, groups), text, start, end: start + text.length });
  }
  return tokens;
}

const patterns = [
  "(?<blank>\\s+|--[^\\n]*|/\\*.*?(?:\\*/|$))",
  "(?<blob>[xX]'[^']*'?)",
  "(?<string>'(?:[^']|'')*'?)",
  '(?<quoted>"(?:[^"]|"")*"?|`(?:[^`]|``)*`?|\\[[^\\]]*\\]?)',
  "(?<number>0[xX][0-9a-fA-F_]+|(?:\\d[\\d_]*\\.?[\\d_]*|\\.\\d[\\d_]*)(?:[eE][+-]?\\d+)?)",
  "(?<parameter>\\?\\d*|[:@#$][A-Za-z0-9_$\\u0080-\\u{10ffff}]+)",
  "(?<word>[A-Za-z_\\u0080-\\u{10ffff}][A-Za-z0-9_$\\u0080-\\u{10ffff}]*)",
  "(?<symbol>->>|->|\\|\\||<<|>>|<=|>=|==|<>|!=|.)",
].join("|");

function describe(text: string, groups: Record<string, string | undefined>): Pick<Token, "kind" | "value"> {
  if (groups.word !== undefined) return { kind: "word", value: upperName(text) };
  if (groups.string !== undefined) return { kind: "string", value: unquote(text, "'") };
  if (groups.quoted !== undefined) {
    return {
      kind: "quoted-name",
      value: text.startsWith("[") ? text.slice(1, -1) : unquote(text, text.charAt(0)),
    };
  }
  const kind =
    groups.number !== undefined || groups.blob !== undefined
      ? "number"
      : groups.parameter !== undefined
        ? "parameter"
        : "symbol";
  return { kind, value: text };
}

function unquote(text: string, quote: string): string {
  const inner = text.slice(1, text.length > 1 && text.endsWith(quote) ? -1 : undefined);
  return inner.replaceAll(quote + quote, quote);
}

/** Compares in any case. */
export function isToken(token: Token | undefined, ...values: string[]): boolean {
  return (
    token !== undefined && (token.kind === "word" || token.kind === "symbol") && values.includes(token.value)
  );
}

/** Returns the lower-case name; undefined for other tokens. */
export function nameOf(token: Token | undefined): string | undefined {
  if (token?.kind === "word" || token?.kind === "quoted-name") return foldName(token.value);
  return undefined;
}

import { JobsError } from "../../shared/errors.ts";
import type { Token } from "../../shared/sqlite/tokens.ts";

export type Value = string | number | bigint | Buffer | null;
/** As in better-sqlite3: positional for `?`, else by name in an object. */
export type Parameters = readonly (Value | readonly Value[] | Readonly<Record<string, Value>>)[];

/** Names each `?`, since a rewritten statement may contain it twice. */
export function nameParameters(tokens: readonly Token[]): Token[] {
  let count = 0;
  return tokens.map((token) =>
    token.kind === "parameter" && token.text === "?" ? { ...token, text: `:${nameOf(++count)}` } : token,
  );
}

function nameOf(place: number): string {
  return `mtjobs_p${place}`;
}

/** @throws {JobsError} `bad-query` for a wrong number of values */
export function bindNamed(tokens: readonly Token[], given: Parameters): Record<string, Value>[] {
  const named: Record<string, Value> = {};
  let count = 0;
  for (const parameter of given) {
    if (isNamed(parameter)) Object.assign(named, parameter);
    else
      for (const value of Array.isArray(parameter) ? (parameter as readonly Value[]) : [parameter as Value])
        named[nameOf(++count)] = value;
  }
  const wanted = tokens.filter((token) => token.kind === "parameter" && token.text === "?").length;
  if (count !== wanted) {
    throw new JobsError(
      "bad-query",
      `the query has ${wanted} positional parameters, but ${count} values were given`,
    );
  }
  return Object.keys(named).length === 0 ? [] : [named];
}

function isNamed(parameter: Parameters[number]): parameter is Readonly<Record<string, Value>> {
  return (
    typeof parameter === "object" &&
    parameter !== null &&
    !Array.isArray(parameter) &&
    !Buffer.isBuffer(parameter)
  );
}

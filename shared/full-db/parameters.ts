import { JobsError } from "../errors.ts";
import type { Token } from "./sql/tokens.ts";

/** What a parameter may be bound to. */
export type Value = string | number | bigint | Buffer | null;
/** Values as better-sqlite3 takes them: in order for `?`, by name in an object for the others. */
export type Parameters = readonly (Value | readonly Value[] | Readonly<Record<string, Value>>)[];

/** Gives each `?` a name, for a rewritten statement may hold it twice. */
export function nameParameters(tokens: readonly Token[]): Token[] {
  let count = 0;
  return tokens.map((token) =>
    token.kind === "parameter" && token.text === "?" ? { ...token, text: `:${nameOf(++count)}` } : token,
  );
}

function nameOf(place: number): string {
  return `mtjobs_p${place}`;
}

/** The values for a statement whose `?` were named. @throws {JobsError} `bad-query` for too many or too few of them */
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

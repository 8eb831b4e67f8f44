import { quoteName } from "../sqlite/connection.ts";
import { idList } from "../sqlite/ids.ts";
import type { RunId } from "../sqlite/run-id.ts";

/**
 * Builds SQL for Megatest's patterns: commas separate alternatives; with `%` a LIKE, else a GLOB.
 *
 * @param value SQL expression to match
 */
export function matchPatterns(value: string, patterns: string): { sql: string; parameters: string[] } {
  const parameters = patterns
    .split(",")
    .map((pattern) => pattern.trim())
    .filter((pattern) => pattern !== "");
  if (parameters.length === 0) return { sql: "0", parameters };
  const terms = parameters.map((pattern) => `${value} ${operatorOf(pattern)} ?`);
  return { sql: `(${terms.join(" OR ")})`, parameters };
}

/**
 * Matches key by key if a pattern has one part per key, as in Megatest (`ub%/v*`); else the whole target, so that
 * `ubuntu/%` covers the rest.
 */
function matchTarget(
  keys: readonly string[],
  alias: string,
  patterns: string,
): { sql: string; parameters: string[] } {
  const terms = patterns.split(",").map((pattern) => {
    const patterns = pattern.trim().split("/");
    if (keys.length < 2 || patterns.length !== keys.length)
      return matchPatterns(targetSql(keys, alias), pattern);
    return {
      sql: keys
        .map(
          (key, index) => `coalesce(${alias}.${quoteName(key)}, '') ${operatorOf(patterns[index] ?? "")} ?`,
        )
        .join(" AND "),
      parameters: patterns,
    };
  });
  return {
    sql: `(${terms.map(({ sql }) => `(${sql})`).join(" OR ")})`,
    parameters: terms.flatMap(({ parameters }) => parameters),
  };
}

const operatorOf = (pattern: string) => (pattern.includes("%") ? "LIKE" : "GLOB");

/** SQL: a target, the key values joined by `/`. */
export function targetSql(keys: readonly string[], alias: string): string {
  return keys.length === 0
    ? "''"
    : keys.map((key) => `coalesce(${alias}.${quoteName(key)}, '')`).join(" || '/' || ");
}

/** Criteria for runs; undefined: any. */
export interface RunSelectors {
  target?: string | undefined;
  runname?: string | undefined;
  state?: string | undefined;
  status?: string | undefined;
  runId?: readonly RunId[] | undefined;
}

/**
 * Builds the condition on a row `r` of runs.
 *
 * @param keys the target keys that are columns of it
 */
export function matchRun(
  keys: readonly string[],
  chosen: RunSelectors,
): { sql: string; parameters: string[] } {
  const patterns = [
    ["coalesce(r.runname, '')", chosen.runname],
    ["coalesce(r.state, '')", chosen.state],
    ["coalesce(r.status, '')", chosen.status],
  ] as const;
  const terms = patterns.flatMap(([value, pattern]) =>
    pattern === undefined ? [] : [matchPatterns(value, pattern)],
  );
  if (chosen.target !== undefined) terms.unshift(matchTarget(keys, "r", chosen.target));
  if (chosen.runId !== undefined) {
    const ids = idList(chosen.runId);
    terms.push({ sql: "r.id IN (SELECT value FROM json_each(?))", parameters: [ids] });
  }
  return {
    sql: ["1", ...terms.map(({ sql }) => sql)].join(" AND "),
    parameters: terms.flatMap(({ parameters }) => parameters),
  };
}

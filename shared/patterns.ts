import type { RunId } from "./run-id.ts";
import { quoteName } from "./sqlite/connection.ts";
import { idList } from "./sqlite/ids.ts";

/**
 * Megatest's patterns: commas separate alternatives; one with `%` is a LIKE, any other a GLOB.
 *
 * @param value SQL expression to match
 * @returns SQL with `?` for each of `parameters`
 */
function matchPatterns(value: string, patterns: string): { sql: string; parameters: string[] } {
  const parameters = patterns
    .split(",")
    .map((pattern) => pattern.trim())
    .filter((pattern) => pattern !== "");
  if (parameters.length === 0) return { sql: "0", parameters };
  const terms = parameters.map((pattern) => `${value} ${pattern.includes("%") ? "LIKE" : "GLOB"} ?`);
  return { sql: `(${terms.join(" OR ")})`, parameters };
}

/** SQL for a target: the key values joined by `/`. */
export function targetSql(keys: readonly string[], alias: string): string {
  return keys.length === 0
    ? "''"
    : keys.map((key) => `coalesce(${alias}.${quoteName(key)}, '')`).join(" || '/' || ");
}

/** By what runs are chosen: patterns, and ids; undefined: any. */
export interface RunSelectors {
  target?: string | undefined;
  runname?: string | undefined;
  state?: string | undefined;
  status?: string | undefined;
  runId?: readonly RunId[] | undefined;
}

/**
 * What must hold of a row `r` of runs.
 *
 * @param target SQL expression for its target
 * @returns SQL with `?` for each of `parameters`
 */
export function matchRun(target: string, chosen: RunSelectors): { sql: string; parameters: string[] } {
  const patterns = [
    [target, chosen.target],
    ["coalesce(r.runname, '')", chosen.runname],
    ["coalesce(r.state, '')", chosen.state],
    ["coalesce(r.status, '')", chosen.status],
  ] as const;
  const terms = patterns.flatMap(([value, pattern]) =>
    pattern === undefined ? [] : [matchPatterns(value, pattern)],
  );
  if (chosen.runId !== undefined) {
    const ids = idList(chosen.runId);
    terms.push({ sql: "r.id IN (SELECT value FROM json_each(?))", parameters: [ids] });
  }
  return {
    sql: ["1", ...terms.map(({ sql }) => sql)].join(" AND "),
    parameters: terms.flatMap(({ parameters }) => parameters),
  };
}

import { quoteName } from "./sqlite/connection.ts";

/**
 * Megatest's patterns: commas separate alternatives; one with `%` is a LIKE, any other a GLOB.
 *
 * @param value SQL expression to match
 * @returns SQL with `?` for each of `parameters`
 */
export function matchPatterns(value: string, patterns: string): { sql: string; parameters: string[] } {
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

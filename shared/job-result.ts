import type { MigrateResult } from "./migrate-result.ts";
import type { MoveResult } from "./result.ts";

export type JobResult = MoveResult | MigrateResult;

/** Rejects other data, such as another tool's. */
export function isMigrateResult(result: unknown): result is MigrateResult {
  if (typeof result !== "object" || result === null) return false;
  return "job" in result && result.job === "migrate" && "checks" in result && Array.isArray(result.checks);
}

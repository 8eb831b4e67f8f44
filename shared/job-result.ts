import type { MigrateResult } from "./migrate-result.ts";
import type { MoveResult } from "./result.ts";

/** What a finished job that somebody asked for returns. */
export type JobResult = MoveResult | MigrateResult;

/** Tells the result of a migration from others, and from what another tool may have put in its place. */
export function isMigrateResult(result: unknown): result is MigrateResult {
  if (typeof result !== "object" || result === null) return false;
  return "job" in result && result.job === "migrate" && "checks" in result && Array.isArray(result.checks);
}

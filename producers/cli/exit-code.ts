import type { MoveResult, SkipReason } from "../../shared/contract/move-result.ts";
import type { ReducePayload } from "../../shared/contract/payload.ts";
import { ExitCode } from "../../shared/error-codes.ts";

/** Reasons by which a safety rule keeps a run in place; the others come from the selectors. */
const rules: ReadonlySet<SkipReason> = new Set(["in-flight", "locked", "conflict", "changed"]);

/**
 * Returns the exit code of a completed job: 3 if runs were selected by id and safety rules kept all of them in
 * place.
 */
export function exitOf(
  result: MoveResult,
  { runId, dryRun }: Pick<ReducePayload, "runId" | "dryRun">,
): number {
  const reasons = Object.keys(result.skippedCounts) as SkipReason[];
  const isHeldBack =
    runId !== undefined &&
    !dryRun &&
    result.moved.runs === 0 &&
    reasons.length > 0 &&
    reasons.every((reason) => rules.has(reason));
  return isHeldBack ? ExitCode.refused : ExitCode.done;
}

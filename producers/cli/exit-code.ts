import type { MoveResult, SkipReason } from "../../shared/contract/move-result.ts";
import type { ImportPayload, ReducePayload } from "../../shared/contract/payload.ts";
import { ExitCode } from "../../shared/error-codes.ts";

/** Reasons by which a safety rule keeps a run in place; the others come from the selectors. */
const rules: ReadonlySet<SkipReason> = new Set(["in-flight", "locked", "conflict", "changed"]);

/** The part of a job's data that says whether its runs were named one by one: by id, or as a file to import. */
type Asked = Pick<ReducePayload, "runId" | "dryRun"> & Partial<Pick<ImportPayload, "file">>;

/** Returns the exit code of a completed job: 3 if its runs were named and safety rules kept all of them in place. */
export function exitOf(result: MoveResult, { runId, file, dryRun }: Asked): number {
  const reasons = Object.keys(result.skippedCounts) as SkipReason[];
  const isHeldBack =
    (runId !== undefined || file !== undefined) &&
    !dryRun &&
    result.moved.runs === 0 &&
    reasons.length > 0 &&
    reasons.every((reason) => rules.has(reason));
  return isHeldBack ? ExitCode.refused : ExitCode.done;
}

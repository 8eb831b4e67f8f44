import { ExitCode } from "../shared/errors.ts";
import type { MovePayload } from "../shared/queue/payload.ts";
import type { MoveResult, SkipReason } from "../shared/result.ts";

/** Reasons by which a rule keeps a run where it is; the others are what the selectors say. */
const rules: ReadonlySet<SkipReason> = new Set(["in-flight", "locked", "conflict", "changed"]);

/**
 * The exit code of a job that completed. Who asks for runs by their ids means just these: where rules hold all of
 * them back, nothing could be done (3).
 */
export function exitOf(result: MoveResult, { runId, dryRun }: Pick<MovePayload, "runId" | "dryRun">): number {
  const reasons = Object.keys(result.skippedCounts) as SkipReason[];
  const isHeldBack =
    runId !== undefined &&
    !dryRun &&
    result.moved.runs === 0 &&
    reasons.length > 0 &&
    reasons.every((reason) => rules.has(reason));
  return isHeldBack ? ExitCode.refused : ExitCode.done;
}

import type { MoveResult } from "../../shared/contract/move-result.ts";

const goesTo: Partial<Record<MoveResult["job"], string>> = {
  reduce: "go from megatest.db to completed-runs.db",
  restore: "go back from completed-runs.db to megatest.db",
  purge: "leave completed-runs.db",
};

/**
 * `about 4.5 MB go from megatest.db to completed-runs.db`: what moves is not freed. Empty without an estimate, or if
 * nothing would move.
 *
 * @param bytesText how the caller writes a number of bytes
 */
export function estimateText(
  { job, estimatedBytes, moved }: Pick<MoveResult, "job" | "estimatedBytes" | "moved">,
  bytesText: (bytes: number) => string,
): string {
  if (estimatedBytes === undefined || !moved.runs) return "";
  return `about ${bytesText(estimatedBytes)} ${goesTo[job] ?? ""}`;
}

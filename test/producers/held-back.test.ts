import { describe, expect, it } from "vitest";
import { exitOf } from "../../producers/cli/exit-code.ts";
import type { MoveResult } from "../../shared/contract/move-result.ts";

function result(runs: number, skippedCounts: MoveResult["skippedCounts"]): MoveResult {
  return { moved: { runs }, skippedCounts } as MoveResult;
}

const byId = { runId: [7], dryRun: false };

describe("the exit code of a job that completed", () => {
  it.each(["in-flight", "locked", "conflict", "changed"] as const)(
    "is 3 where runs were asked for by id and all of them stayed as %s",
    (reason) => {
      expect(exitOf(result(0, { [reason]: 1 }), byId)).toBe(3);
    },
  );

  it.each<
    [why: string, counts: MoveResult["skippedCounts"], runs: number, asked: Parameters<typeof exitOf>[1]]
  >([
    ["one of them moved", { conflict: 1 }, 1, byId],
    ["a selector kept one of them back", { conflict: 1, kept: 1 }, 0, byId],
    ["nothing matched", {}, 0, byId],
    ["they were asked for by pattern", { conflict: 1 }, 0, { dryRun: false }],
    ["it was only to tell", { conflict: 1 }, 0, { runId: [7], dryRun: true }],
  ])("is 0 where %s", (_, counts, runs, asked) => {
    expect(exitOf(result(runs, counts), asked)).toBe(0);
  });
});

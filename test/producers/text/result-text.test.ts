import { describe, expect, it } from "vitest";
import { resultText } from "../../../producers/text/result-text.ts";
import type { MoveResult } from "../../../shared/result.ts";

const result: MoveResult = {
  jobId: "reduce-1",
  job: "reduce",
  area: "/areas/a1",
  areaId: null,
  host: "hosta",
  state: "completed",
  dryRun: false,
  moved: {
    runs: 2,
    tests: 1040,
    test_steps: 6,
    test_data: 5,
    run_stats: 4,
    extradat: 3,
    test_rundat: 2,
    archives: 1,
  },
  runs: [{ id: 7, target: "ubuntu/nfs", runname: "w01.7" }],
  skipped: Array.from({ length: 5 }, (_, index) => ({
    id: index + 10,
    target: "ubuntu/nfs",
    runname: `w${index}`,
    reason: "recent",
  })),
  skippedCounts: { recent: 1200, "in-flight": 0 },
  superseded: 1,
  late: 0,
  bytes: { "megatest.db": { before: 12_300_000, after: 4096 } },
  warnings: ["the vacuum is left for later"],
  elapsedMs: 1234,
};

describe("a result as text", () => {
  it("lines up the rows moved, names some of the runs that stayed with the reason, and the sizes", () => {
    expect(resultText(result).split("\n")).toEqual([
      "reduce-1: moved 2 runs of /areas/a1 on hosta in 1.2 s",
      "",
      "  runs             2",
      "  tests        1,040",
      "  test_steps       6",
      "  test_data        5",
      "  run_stats        4",
      "  extradat         3",
      "  test_rundat      2",
      "  archives         1",
      "",
      "stayed:",
      "  recent: 1,200 runs (younger than --age)",
      "    #10  ubuntu/nfs/w0",
      "    #11  ubuntu/nfs/w1",
      "    #12  ubuntu/nfs/w2",
      "    … and 1,197 more",
      "",
      "  megatest.db  12.3 MB  →  4.1 kB",
      "",
      "1 row lost against a newer version and is kept in completed-runs.db",
      "",
      "warning: the vacuum is left for later",
    ]);
  });

  it("says of a dry run what would move, and names the runs", () => {
    const text = resultText({ ...result, dryRun: true });
    expect(text).toContain("would move 2 runs");
    expect(text).toContain("runs:\n  #7  ubuntu/nfs/w01.7\n  … and 1 more");
    expect(text).not.toContain("12.3 MB");
  });

  it("lets no control character of a run's name reach the terminal", () => {
    const runs = [{ id: 7, target: "x", runname: "\u001b[2Jgone\n" }];
    expect(resultText({ ...result, dryRun: true, runs })).toContain("x/\\u001b[2Jgone\\u000a");
  });

  it("leaves out what there is nothing to say about", () => {
    const nothing = { ...result, moved: { ...result.moved, runs: 0 }, skippedCounts: {}, bytes: {} };
    expect(resultText({ ...nothing, superseded: 0, warnings: [] })).toBe(
      "reduce-1: moved 0 runs of /areas/a1 on hosta in 1.2 s",
    );
  });
});

import { describe, expect, it } from "vitest";
import { resultText } from "../../../producers/format/move-result.ts";
import type { MoveResult } from "../../../shared/contract/move-result.ts";

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
      "1 other version of rows kept in completed-runs.db",
      "",
      "warning: the vacuum is left for later",
    ]);
  });

  it("says of a dry run what would move, and names the runs", () => {
    const text = resultText({ ...result, dryRun: true });
    expect(text).toContain("would move 2 runs");
    expect(text).toContain("runs:\n  #7  ubuntu/nfs/w01.7\n  … and 1 more");
    expect(text).not.toContain("12.3 MB");
    const estimated = resultText({ ...result, dryRun: true, estimatedBytes: 4_500_000 });
    expect(estimated).toContain("\n\nabout 4.5 MB go from megatest.db to completed-runs.db\n\nruns:\n");
    const restored = resultText({ ...result, job: "restore", dryRun: true, estimatedBytes: 4_500_000 });
    expect(restored).toContain("about 4.5 MB go back from completed-runs.db to megatest.db");
  });

  it("lets no control character of a run's name reach the terminal", () => {
    const runs = [{ id: 7, target: "x", runname: "\u001b[2Jgone\n" }];
    expect(resultText({ ...result, dryRun: true, runs })).toContain("x/\\u001b[2Jgone\\u000a");
  });

  it("tells of a restore what came back, under which name, and under which id where it took a new one", () => {
    const runs = [
      { id: 8, target: "ubuntu/nfs", runname: "w01.8" },
      { id: 12, target: "ubuntu/nfs", runname: "w01.7-again", previousId: 7 },
    ];
    const skipped = [{ id: 9, target: "ubuntu/nfs", runname: "w01.9", reason: "conflict" } as const];
    const restored = { ...result, jobId: "restore-1", job: "restore" as const, runs, skipped };
    const finished = { reduce: { ...result.moved, runs: 1 } };
    const text = resultText({ ...restored, skippedCounts: { conflict: 1 }, finished });
    expect(text).toContain("restore-1: restored 2 runs of /areas/a1 on hosta in 1.2 s\n");
    expect(text).toContain(
      "runs:\n  #12  ubuntu/nfs/w01.7-again  run 7 restored as 12\n  #8   ubuntu/nfs/w01.8\n\n",
    );
    expect(text).toContain(
      "conflict: 1 run (a run with the same target and name has been registered since; --on-conflict",
    );
    expect(text).toContain("\n\nfinished an interrupted reduce: moved 1 run\n\n");
    const dryRunText = resultText({ ...restored, dryRun: true });
    expect(dryRunText).toContain("would restore 2 runs");
    expect(dryRunText).toContain("run 7 would be restored as 12");
  });

  it("tells of a repair what it finished and what it undid, in place of a number of runs moved", () => {
    const moved = { ...result.moved, runs: 0 };
    const repair = {
      ...result,
      jobId: "repair-1",
      job: "repair" as const,
      moved,
      skippedCounts: {},
      bytes: {},
    };
    const quiet = { ...repair, superseded: 0, warnings: [] };
    const head = "repair-1: searched for leftovers of dead jobs in /areas/a1 on hosta in 1.2 s\n\n";
    expect(resultText(quiet)).toBe(`${head}no run was half moved or half restored`);
    expect(resultText({ ...quiet, undone: { restore: 1 } })).toBe(
      `${head}undid an interrupted restore: moved 1 run back to completed-runs.db`,
    );
    expect(resultText({ ...quiet, finished: { restore: result.moved }, undone: { reduce: 3 } })).toBe(
      `${head}finished an interrupted restore: restored 2 runs\nundid an interrupted reduce: removed the copies of 3 runs`,
    );
    expect(resultText({ ...quiet, moved: result.moved })).toContain(
      "finished an interrupted reduce: moved 2 runs",
    );
  });

  it("leaves out what there is nothing to say about", () => {
    const nothing = { ...result, moved: { ...result.moved, runs: 0 }, skippedCounts: {}, bytes: {} };
    expect(resultText({ ...nothing, superseded: 0, warnings: [] })).toBe(
      "reduce-1: moved 0 runs of /areas/a1 on hosta in 1.2 s",
    );
  });
});

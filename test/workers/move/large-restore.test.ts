import { setImmediate as yieldNow } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { SourceWriterClient } from "../../../workers/move/writers/source-client.ts";
import {
  completedColumn,
  edit,
  filesOf,
  giveTestsTo,
  newArea,
  readColumn,
  readRows,
} from "../../support/area.ts";
import { runReduce, runRestore } from "../../support/queue.ts";

/** Run 1 has 2,000 tests for each of `runs`, and has moved: 6,000 take a quick disk several tenths of a second. */
async function largeRun(runs = 3) {
  const area = newArea({ runs, testsPerRun: 2000, inFlight: 0, unsynced: false });
  const others = Array.from({ length: runs - 1 }, (_, index) => index + 2);
  giveTestsTo(area, 1, others);
  await runReduce(area, { runname: undefined, runId: [1] });
  return area;
}

describe("a restore of one large run", () => {
  it("asks between its slices whether megatest.db must be left to a sync, and waits for the answer", async () => {
    const area = await largeRun(9);
    const [fence] = readRows(area.megatestDb, "SELECT token FROM mtjobs_fence");
    readRows(filesOf(area).completedDb, "UPDATE mtjobs_runs SET state = 'restoring' RETURNING run_id");
    const { megatestDb, completedDb } = filesOf(area);
    const inserted: number[] = [];
    const writer = await SourceWriterClient.start(
      {
        part: "area",
        fresh: "cache",
        files: { area: megatestDb, completed: completedDb },
        keys: area.keys,
        token: Number(fence?.token),
        jobId: "a job",
        times: { file: undefined, aheadMs: 0 },
        shared: true,
      },
      new AbortController().signal,
      async () => {
        const count = () => Number(readColumn(megatestDb, "SELECT count(*) FROM tests WHERE run_id = 1")[0]);
        const before = count();
        await yieldNow();
        expect(count()).toBe(before);
        inserted.push(before);
      },
    );
    try {
      expect(await writer.insert({ runs: [1n] })).toEqual({ conflicting: [], incomplete: [], rejected: [] });
    } finally {
      await writer.close();
    }
    expect(inserted.filter((count) => count > 0 && count < 18_000).length).toBeGreaterThan(0);
    expect(readColumn(megatestDb, "SELECT count(*) FROM tests WHERE run_id = 1")).toEqual([18_000]);
  });

  it("takes its copy out of completed-runs.db in several transactions, and readers get their turn", async () => {
    const area = await largeRun();
    const left = new Set<number>();
    let isGoing = false;
    const check = async () => {
      for (; isGoing; await yieldNow())
        left.add(Number(completedColumn(area, "SELECT count(*) FROM tests WHERE run_id = 1")[0]));
    };
    const failpoint = (step: string) => {
      isGoing = step === "restored";
      if (isGoing) void check();
    };
    const { result } = await runRestore(area, {}, { failpoint });
    expect(result.moved).toMatchObject({ runs: 1, tests: 6000 });
    expect(left.size).toBeGreaterThan(2);
    expect(completedColumn(area, "SELECT count(*) FROM test_steps")).toEqual([0]);
    edit(area, ["cache"], (db) => {
      expect(db.prepare("SELECT count(*) FROM tests WHERE run_id = 1").pluck().get()).toBe(6000);
    });
  });
});

import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  assertNothingLost,
  assertWritesKept,
  casesOf,
  completedColumn,
  firstTestOf,
  newArea,
  readColumn,
  waitFor,
} from "../support/area.ts";
import {
  runJobProcess,
  runReduce,
  startMegatestClient,
  startMegatestServer,
  unionOf,
} from "../support/queue.ts";

describe("while a restore runs beside Megatest", () => {
  it.each(
    casesOf(
      [
        ["a rollback journal", false],
        ["a write-ahead log", true],
      ] as const,
      1,
    ),
  )(
    "a server syncs and a client writes to a cache with %s, and every run comes back whole",
    async (_, cacheWal) => {
      const kind = { cacheWal, syncsLastUpdate: !cacheWal };
      const area = newArea({ runs: 10, testsPerRun: 200, stepsPerTest: 2, dataPerTest: 1, ...kind });
      const live = area.inFlight.map((run) => firstTestOf(area, run));
      await runReduce(area, { runname: "w%" });
      const before = unionOf(area);
      const server = await startMegatestServer({ ...area, syncEveryMs: 2_000, touchEveryMs: 1_000 });
      onTestFinished(() => server.kill());
      const client = await startMegatestClient({
        cacheDb: area.cacheDb,
        journal: join(area.directory, "..", "client.jsonl"),
        everyMs: 5,
        target: { sysname: "ubuntu", fsname: "nfs", datapath: "none" },
        runname: "registered-meanwhile",
        testIds: live.slice(0, 1),
      });
      onTestFinished(() => client.kill());
      await waitFor("the client to be at work", () => client.acknowledged().length >= 100, {
        deadline: 30_000,
      });
      const { code, stdout, stderr } = await runJobProcess("restore", area, [
        "--runname",
        "%",
        "--grace",
        "1s",
      ]);
      await client.stop();
      expect(code, stderr).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ state: "completed", moved: { runs: 8 }, skipped: [] });
      await server.syncedAfresh();
      await server.stop();
      const after = unionOf(area);
      const runs = new Set(area.inFlight.map((id) => `i:${id}`));
      const livePaths = [...before.records.values()]
        .filter(({ table, id }) => table === "runs" && runs.has(id))
        .map(({ path }) => path);
      assertNothingLost(before, after, {
        newRecords: true,
        mayChange: ({ path }) => livePaths.some((run) => path.startsWith(run)),
      });
      assertWritesKept(client.acknowledged(), after);
      expect(completedColumn(area, "SELECT count(*) FROM runs")).toEqual([0]);
      for (const file of [area.cacheDb, area.refDb, area.megatestDb]) {
        expect(readColumn(file, "SELECT count(*) FROM runs WHERE runname LIKE 'w%'")).toEqual([10]);
      }
    },
    120_000,
  );
});

// Mostly waits: run beside others.
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import {
  type AcknowledgedWrite,
  addRunningTest,
  assertNothingLost,
  assertWritesKept,
  casesOf,
  edit,
  firstTestOf,
  giveTestsTo,
  isCampaign,
  type NaturalRecord,
  newArea,
  waitFor,
} from "../support/area.ts";
import {
  type EmulatedClient,
  type EmulatedServer,
  movedIds,
  runReduce,
  runReduceProcess,
  skippedBy,
  startMegatestClient,
  startMegatestServer,
  unionOf,
} from "../support/queue.ts";

/**
 * By how much longer a client may wait for one write than it had to before the reduce began, in ms. A lock of mtjobs
 * lasts 25, but SQLite looks for it again only every 100, and may find the next one; a busy machine adds to it.
 * `npm run bench` measures it.
 */
const longerWait = 1_000;

/** Writes of each client before the reduce begins. */
const warmUp = 300;

/** A server as Megatest runs it, but for a shorter pause between two syncs. */
async function serverOf(area: SampleArea): Promise<EmulatedServer> {
  const server = await startMegatestServer({ ...area, syncEveryMs: 2_000, touchEveryMs: 1_000 });
  onTestFinished(() => server.kill());
  return server;
}

/** A client that registers a run of its own and reports for tests in flight, a write every few milliseconds. */
async function clientOf(area: SampleArea, name: string, testIds: readonly number[]): Promise<EmulatedClient> {
  const client = await startMegatestClient({
    cacheDb: area.cacheDb,
    journal: join(area.directory, "..", `${name}.jsonl`),
    everyMs: 5,
    target: { sysname: "ubuntu", fsname: "nfs", datapath: "none" },
    runname: name,
    testIds,
  });
  onTestFinished(() => client.kill());
  return client;
}

function meanwhileArea(cacheWal: boolean): SampleArea {
  // Both kinds of sync, one with each kind of journal.
  const kind = { cacheWal, syncsLastUpdate: cacheWal };
  const area = newArea({ runs: 12, testsPerRun: 300, stepsPerTest: 2, dataPerTest: 1, ...kind });
  giveTestsTo(area, 1, [2, 3, 4]);
  return area;
}

function longestOf(writes: readonly (readonly AcknowledgedWrite[])[]): number {
  return Math.max(...writes.flat().map(({ tookMs }) => tookMs));
}

/** What the clients write to, and what hangs on it. */
function writtenTo(area: SampleArea): (record: NaturalRecord) => boolean {
  const runs = new Set(area.inFlight.map((id) => `i:${id}`));
  const paths = [...unionOf(area).records.values()]
    .filter(({ table, id }) => table === "runs" && runs.has(id))
    .map(({ path }) => path);
  return ({ path }) => paths.some((run) => path.startsWith(run));
}

describe("while a reduce runs beside Megatest", () => {
  it.each(
    casesOf(
      [
        ["a rollback journal", false],
        ["a write-ahead log", true],
      ] as const,
      1,
    ),
  )("a server syncs and clients write to a cache with %s, and nothing of it is lost", async (_, cacheWal) => {
    const area = meanwhileArea(cacheWal);
    const before = unionOf(area);
    const mayChange = writtenTo(area);
    const server = await serverOf(area);
    const clients = await Promise.all(
      area.inFlight.map((run, index) => clientOf(area, `live${index}`, [firstTestOf(area, run)])),
    );
    const writes = () => clients.map((client) => client.acknowledged());
    await waitFor("the clients to be at work", () => writes().every((list) => list.length >= warmUp), {
      deadline: 30_000,
    });
    const [from, quiet] = [server.reports.length, writes()];
    const { code, stdout, stderr } = await runReduceProcess(area, ["--runname", "w%"]);
    const during = server.reports.slice(from);
    await Promise.all(clients.map((client) => client.stop()));
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ state: "completed", moved: { runs: 10 } });
    await server.syncedAfresh();
    await server.stop();

    const after = unionOf(area);
    assertNothingLost(before, after, { newRecords: true, mayChange });
    for (const client of clients) assertWritesKept(client.acknowledged(), after);
    expect(server.reports.map(({ type }) => type)).not.toContain("failed");
    expect(during.some((report) => report.type === "synced" && report.ran)).toBe(true);
    const [alone, beside] = [longestOf(quiet), longestOf(writes())];
    console.info(
      `longest write to the cache: ${alone.toFixed(1)} ms before the reduce, ${beside.toFixed(1)} ms until its end`,
    );
    expect(beside).toBeLessThan(alone + longerWait);
  });

  // It waits for three syncs; risen-rows.test.ts has what such a sync leaves, without one.
  it.runIf(isCampaign)(
    "a sync that read before and writes after the removal brings no run back for good",
    async () => {
      const area = newArea({ runs: 6, testsPerRun: 20 });
      const before = unionOf(area);
      const server = await serverOf(area);
      await server.pauseAt("tests", "source-read");
      const { result, story } = await runReduce(
        area,
        {},
        {
          failpoint: (step) => void (step === "moved" && server.goOn()),
        },
      );
      expect(result.moved.runs).toBe(4);
      expect(story.join(" ")).toMatch(/came back|come back|put back/);
      await server.syncedAfresh();
      await server.stop();
      assertNothingLost(before, unionOf(area), { anyLastUpdate: true });
    },
  );

  it("a run that a client changes each time it was copied is left as changed, and one changed once moves as it is now", async () => {
    const area = newArea({ runs: 6, testsPerRun: 20, unsynced: false });
    const before = unionOf(area);
    const changed = firstTestOf(area, 3);
    let round = 0;
    const change = (run: number) =>
      edit(area, ["cache"], (db) =>
        db.prepare("UPDATE tests SET comment = ? WHERE id = ?").run(`round ${round}`, firstTestOf(area, run)),
      );
    const { result } = await runReduce(
      area,
      {},
      {
        failpoint: (step) => {
          if (step !== "removing") return;
          round++;
          change(2);
          if (round === 1) change(3);
        },
      },
    );
    expect(skippedBy(result)[2]).toBe("changed");
    expect(movedIds(result)).toEqual([1, 3, 4]);
    const after = unionOf(area);
    assertNothingLost(before, after, { mayChange: ({ table }) => table === "tests" });
    const comment = [...after.records.values()].find(
      ({ table, id }) => table === "tests" && id === `i:${changed}`,
    );
    expect(comment?.row.get("comment")).toBe(`t:${Buffer.from("round 1").toString("hex").toUpperCase()}`);
  });

  it("a run that comes alive between its copy and its removal stays, with what was reported", async () => {
    const area = newArea({ runs: 6, testsPerRun: 20, unsynced: false });
    let once = true;
    const { result } = await runReduce(
      area,
      {},
      {
        failpoint: (step) => {
          if (step === "removing" && once) addRunningTest(area, 3, 5);
          if (step === "removing") once = false;
        },
      },
    );
    expect(skippedBy(result)[3]).toBe("in-flight");
    expect(movedIds(result)).toEqual([1, 2, 4]);
  });
});

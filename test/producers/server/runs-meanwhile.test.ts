import { join } from "node:path";
import { expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { edit, fingerprint, newArea, temporaryDirectory } from "../../support/area.ts";
import {
  type Answer,
  ask,
  onQueue,
  readJournal,
  runReduce,
  runRestore,
  serverEnv,
  startMegatestClient,
  startServer,
} from "../../support/queue.ts";

/** Runs `work` with a server on the homehost of an area with a cache. */
function atHome(
  area: SampleArea,
  work: (get: (suffix: string) => Promise<Answer>) => Promise<void>,
): Promise<void> {
  return onQueue(async (stage) => {
    const server = await startServer({
      ...serverEnv(stage),
      ...{ MTJOBS_AREAS: area.directory, MTJOBS_HOST: area.host },
      ...{ MTJOBS_USER: area.user, MTJOBS_CACHE_ROOT: area.cacheRoot },
    });
    try {
      await work(async (suffix) => {
        const [path = "", query = ""] = suffix.split("?");
        return await ask(`${server.url}/api/v1/areas/by-path${path}?path=${area.directory}&${query}`);
      });
    } finally {
      server.child.kill("SIGTERM");
      await server.finished;
    }
  });
}

it("at home runs are read from the cache, and no file of the area changes", async () => {
  const area = newArea({ runs: 6, unsynced: false });
  edit(area, ["cache"], (db) =>
    db.exec("INSERT INTO runs (id, sysname, runname, event_time) VALUES (77, 's', 'new', 1)"),
  );
  await runReduce(area, { runId: [2] });
  const before = fingerprint(area.directory, area.cacheDirectory);
  await atHome(area, async (get) => {
    const { body } = await get("/runs");
    expect(body.source).toBe("cache");
    expect(body.runs.at(-1)).toMatchObject({ id: 77, runname: "new", where: "megatest.db" });
    const paths = [
      "/runs/2",
      "/runs/2/tests",
      `/runs/2/tests/${(await get("/runs/2/tests")).body.tests[0].id}`,
      "/history",
    ];
    for (const path of paths) expect((await get(path)).status).toBe(200);
  });
  expect(fingerprint(area.directory, area.cacheDirectory)).toEqual(before);
});

it("every run is listed once with all its tests while runs move there and back and Megatest writes", async () => {
  const area = newArea({ runs: 12, testsPerRun: 20, inFlight: 0, unsynced: false });
  const journal = join(temporaryDirectory(), "journal");
  const target = Object.fromEntries(area.keys.map((key) => [key, "meanwhile"]));
  const client = await startMegatestClient({
    ...{ cacheDb: area.cacheDb, journal, everyMs: 5 },
    target,
    runname: "busy",
  });
  await atHome(area, async (get) => {
    let moving = true;
    const moves = (async () => {
      for (let turn = 0; turn < 3; turn++) {
        await runReduce(area, { runId: [1, 2, 3, 4, 5, 6] });
        await runRestore(area, { runId: [1, 2, 3, 4, 5, 6] });
      }
    })().finally(() => {
      moving = false;
    });
    let rounds = 0;
    const places = new Set<string>();
    while (moving) {
      rounds++;
      const pages = [await get("/runs?limit=7")];
      pages.push(await get(`/runs?limit=200&cursor=${pages[0]?.body.next}`));
      const runs = pages.flatMap(({ body }) => body.runs as { id: number; where: string }[]);
      const ids = runs.map(({ id }) => id).filter((id) => id <= 12);
      expect([...ids].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
      places.add(runs.find(({ id }) => id === 3)?.where ?? "");
      const detail = (await get("/runs/3")).body;
      const tests = (await get("/runs/3/tests?limit=500")).body.tests;
      expect([detail.tests.total, tests.length]).toEqual([20, 20]);
    }
    await moves;
    expect([rounds > 5, [...places].sort()]).toEqual([true, ["completed-runs.db", "megatest.db"]]);
  });
  await client.stop();
  expect(readJournal(journal).length).toBeGreaterThan(20);
});

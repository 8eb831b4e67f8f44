import { join } from "node:path";
import { describe, expect, it } from "vitest";
import * as documents from "../../../producers/contract/runs.ts";
import { buildArea, type SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { openArea } from "../../../shared/area/area.ts";
import { ensureAreaId } from "../../../shared/area/area-id.ts";
import { edit, giveId, temporaryDirectory } from "../../support/area.ts";
import { runReduce, runRestore, withServerStage } from "../../support/queue.ts";

const served = withServerStage();
const { call } = served;

/** An area of 12 runs below the server's roots, without a cache here. */
function newArea(name: string, runs = 12): SampleArea {
  const directory = join(served.stage.root, name);
  return buildArea({
    ...{ directory, cacheRoot: temporaryDirectory(), user: "ann", host: "hostz", runs, testsPerRun: 4 },
    ...{ withCache: false, unsynced: false, inFlight: 0 },
  });
}

const get = async (area: SampleArea, suffix: string, query: Record<string, string | number> = {}) => {
  const search = new URLSearchParams({ path: area.directory, ...query });
  return await call(`GET /api/v1/areas/by-path${suffix}?${search}`);
};

/** The ids of all pages. */
async function idsOf(area: SampleArea, query: Record<string, string | number> = {}): Promise<unknown[]> {
  const ids: unknown[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const { status, body } = await get(area, "/runs", {
      ...query,
      ...(cursor === undefined ? {} : { cursor }),
    });
    expect([status, body.runs.length > 0 || ids.length === 0]).toEqual([200, true]);
    ids.push(...body.runs.map(({ id }: { id: unknown }) => id));
    cursor = body.next;
  }
  return ids;
}

/** Gives the run `id` the time `id` hours before now, so that run 1 is the newest. */
function age(area: SampleArea): void {
  edit(area, ["area"], (db) => db.exec(`UPDATE runs SET event_time = ${area.now} - id * 3600`));
}

describe("runs over HTTP", () => {
  it("are listed from both databases, newest first, by id of the area or by its path", async () => {
    const area = newArea("listed");
    age(area);
    const areaId = ensureAreaId(openArea(area.directory));
    await runReduce(area, { runId: [2, 5, 12] });
    const { body } = await get(area, "/runs", { count: "true" });
    expect(documents.runsPageSchema.parse(body)).toEqual(body);
    expect(body).toMatchObject({ area: area.directory, source: "megatest.db", next: null });
    expect(body.runs.map(({ id }: { id: number }) => id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(body.counts).toEqual({ "megatest.db": 9, "completed-runs.db": 3 });
    const moved = body.runs.filter(({ where }: { where: string }) => where === "completed-runs.db");
    expect(moved.map(({ id }: { id: number }) => id)).toEqual([2, 5, 12]);
    expect(moved[0]).toEqual({
      id: 2,
      target: expect.stringMatching(/^[^/]+\/[^/]+\/[^/]+$/),
      runname: expect.any(String),
      state: expect.any(String),
      status: expect.any(String),
      owner: "ann",
      comment: expect.any(String),
      begunAt: area.now - 2 * 3600,
      where: "completed-runs.db",
    });
    expect((await call(`GET /api/v1/areas/${areaId}/runs?count=true`)).body).toEqual(body);
    expect(await idsOf(area, { limit: 5 })).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  it("are listed once on pages while runs come, move and go", async () => {
    const area = newArea("changing");
    age(area);
    const first = (await get(area, "/runs", { limit: 4 })).body;
    await runReduce(area, { runId: [1, 4, 6] });
    // The last run of the page is gone, and a new one is before all.
    edit(area, ["area"], (db) =>
      db.exec(
        "UPDATE runs SET state = 'deleted' WHERE id = 3; UPDATE runs SET event_time = event_time + 360000 WHERE id = 12",
      ),
    );
    await runRestore(area, { runId: [4] });
    const rest = (await get(area, "/runs", { limit: 200, cursor: first.next })).body;
    expect(rest.runs.map(({ id }: { id: number }) => id)).toEqual([5, 6, 7, 8, 9, 10, 11]);
    expect(await idsOf(area, { limit: 1 })).toEqual([12, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  it("are chosen by Megatest's patterns, by time, and by the database they are in", async () => {
    const area = newArea("chosen");
    age(area);
    edit(area, ["area"], (db) =>
      db.exec(`UPDATE runs SET runname = 'w' || id, sysname = 'ub' || (id % 2), fsname = 'nfs', datapath = 'v';
        UPDATE runs SET state = 'locked', status = 'ok' WHERE id IN (3, 7);
        UPDATE runs SET event_time = '2025-01-01' WHERE id = 8; UPDATE runs SET event_time = NULL WHERE id = 9`),
    );
    await runReduce(area, { runId: [1, 2] });
    expect(await idsOf(area, { runname: "w1,w1?" })).toEqual([1, 10, 11, 12]);
    expect(await idsOf(area, { runname: "W1%" })).toEqual([1, 10, 11, 12]);
    expect(await idsOf(area, { target: "ub0/%/v" })).toEqual([2, 4, 6, 10, 12, 8]);
    expect(await idsOf(area, { state: "locked" })).toEqual([3, 7]);
    expect(await idsOf(area, { status: "o*" })).toEqual([3, 7]);
    expect(await idsOf(area, { where: "completed-runs.db" })).toEqual([1, 2]);
    expect(await idsOf(area, { where: "megatest.db", runname: "w2,w3" })).toEqual([3]);
    // A run without a valid time is last, and in no range.
    expect((await idsOf(area)).slice(-2)).toEqual([9, 8]);
    expect(await idsOf(area, { since: area.now - 4 * 3600 })).toEqual([1, 2, 3, 4]);
    expect(await idsOf(area, { until: "590m" })).toEqual([10, 11, 12]);
    expect(await idsOf(area, { since: "650m", until: area.now - 9 * 3600 })).toEqual([10]);
    expect((await get(area, "/runs", { runname: "none" })).body).toMatchObject({ runs: [], next: null });
  });

  it("have their tests with directories, steps and data", async () => {
    const area = newArea("detailed");
    await runReduce(area, { runId: [2] });
    for (const [id, where] of [
      [1, "megatest.db"],
      [2, "completed-runs.db"],
    ] as const) {
      const run = (await get(area, `/runs/${id}`)).body;
      expect(documents.runDetailSchema.parse(run)).toEqual(run);
      expect(run).toMatchObject({
        run: { id, where, keys: { sysname: expect.any(String) } },
        tests: { total: 4 },
      });
      const counted = run.tests.groups.map(({ tests }: { tests: number }) => tests);
      expect(counted.reduce((a: number, b: number) => a + b)).toBe(4);
      const tests = (await get(area, `/runs/${id}/tests`, { limit: 3 })).body;
      expect(documents.testsPageSchema.parse(tests)).toEqual(tests);
      const more = (await get(area, `/runs/${id}/tests`, { cursor: tests.next })).body;
      expect([tests.tests.length, more.tests.length, more.next]).toEqual([3, 1, null]);
      const [{ id: testId, rundir, shortdir }] = tests.tests;
      expect([rundir, shortdir]).toEqual([expect.stringMatching(/^\//), expect.stringMatching(/./)]);
      const test = (await get(area, `/runs/${id}/tests/${testId}`, { limit: 4 })).body;
      expect(documents.testDetailSchema.parse(test)).toEqual(test);
      expect(test).toMatchObject({ run: { id, where }, test: tests.tests[0] });
      expect([test.steps.rows.length, test.data.rows.length]).toEqual([4, 4]);
      const end = (
        await get(area, `/runs/${id}/tests/${testId}`, { steps: test.steps.next, data: test.data.next })
      ).body;
      expect([end.steps.rows.length, end.data.rows.length]).toEqual([2, 1]);
      expect([end.steps.next, end.data.next]).toEqual([null, null]);
    }
    const state = (await get(area, "/runs/2")).body.tests.groups[0].state;
    const chosen = (await get(area, "/runs/2/tests", { state })).body.tests;
    expect(new Set(chosen.map((test: { state: string }) => test.state))).toEqual(new Set([state]));
  });

  it("tell no directory of a test that names none, or one of another run", async () => {
    const area = newArea("directories");
    edit(area, ["area"], (db) =>
      db.exec(
        "UPDATE tests SET rundir = 'n/a-mtjobs-was:/old/place', shortdir = '/tmp/badname' WHERE run_id = 1",
      ),
    );
    const { tests } = (await get(area, "/runs/1/tests")).body;
    expect(tests[0]).toMatchObject({ rundir: null, shortdir: null, formerRundir: "/old/place" });
  });

  it("have ids of 64 bits, which are told and taken exactly", async () => {
    const area = newArea("far");
    age(area);
    const [one, two] = [2n ** 53n, 2n ** 53n + 1n];
    for (const table of ["test_steps", "tests", "runs"]) {
      giveId(area, table, 2, one, ["area"]);
      giveId(area, table, 3, two, ["area"]);
    }
    giveId(area, "runs", 4, -(2n ** 63n), ["area"]);
    const ids = [1, String(one), String(two), String(-(2n ** 63n)), 5];
    expect((await idsOf(area, { limit: 1 })).slice(0, 5)).toEqual(ids);
    for (const [id, name] of [
      [one, "w"],
      [two, "w"],
    ] as const) {
      const run = (await get(area, `/runs/${id}`)).body.run;
      expect([run.id, run.runname.startsWith(name)]).toEqual([String(id), true]);
      const { tests } = (await get(area, `/runs/${id}/tests`)).body;
      expect(tests.at(-1).id).toBe(String(id));
      const test = (await get(area, `/runs/${id}/tests/${id}`)).body;
      expect(test).toMatchObject({ run: { id: String(id) }, test: { id: String(id) } });
      expect(test.steps.rows.at(-1).id).toBe(String(id));
    }
  });

  it("that do not exist, and wrong requests, are refused", async () => {
    const area = newArea("refused");
    edit(area, ["area"], (db) => db.exec("UPDATE runs SET state = 'deleted' WHERE id = 3"));
    for (const suffix of [
      "/runs/99",
      "/runs/3",
      "/runs/99/tests",
      "/runs/1/tests/999999",
      "/runs/2/tests/1",
    ]) {
      const answer = await get(area, suffix);
      expect([suffix, answer.status, answer.body.code]).toEqual([suffix, 404, "unknown-run"]);
    }
    const wrong = [
      ["/runs", { cursor: "x" }],
      ["/runs", { cursor: "1.99999999999999999999" }],
      ["/runs", { cursor: "9999999999999999999.1" }],
      ["/runs", { limit: 201 }],
      ["/runs", { limit: 0 }],
      ["/runs", { where: "ref" }],
      ["/runs", { since: "yesterday" }],
      ["/runs", { runname: "%,".repeat(60) }],
      ["/runs", { target: "x".repeat(301) }],
      ["/runs", { order: "id" }],
      ["/runs/1.5", {}],
      ["/runs/9223372036854775808", {}],
      ["/runs/1/tests", { cursor: "1.2" }],
      ["/runs/1/tests/1", { steps: "x" }],
    ] as const;
    for (const [suffix, query] of wrong) {
      const answer = await get(area, suffix, query);
      expect([suffix, query, answer.status]).toEqual([suffix, query, 400]);
    }
    const outside = await call("GET /api/v1/areas/by-path/runs?path=/etc");
    expect([outside.status, outside.body.code]).toEqual([403, "outside-roots"]);
  });
});

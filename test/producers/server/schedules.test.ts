import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { withServerStage } from "../../support/queue.ts";

const served = withServerStage();
const { call } = served;

beforeAll(async () => {
  await served.stage.worker("hosta");
  await served.stage.worker("hostb");
});

describe("schedules over HTTP", () => {
  it("are added as the command adds them, listed and removed, in the caller's name", async () => {
    const area = served.stage.area("a1", "hosta");
    const request = { job: "reduce", area, age: "30d", keep: 5 };
    const added = await call("POST /api/v1/schedules", {
      name: "keep5",
      cron: "0 2 * * *",
      tz: "UTC",
      request,
    });
    expect(added).toMatchObject({
      status: 201,
      body: { name: "keep5", host: "hosta", job: "reduce", area, cron: "0 2 * * *", tz: "UTC", every: null },
    });
    expect(added.body.requestedBy).toMatch(/^http@/);
    expect(added.body.data).toMatchObject({ age: 2_592_000_000, keep: 5, schedule: "keep5" });
    const again = await call("POST /api/v1/schedules", { name: "keep5", every: "12h", request });
    expect(again).toMatchObject({ status: 400, body: { code: "usage" } });
    const moving = { job: "migrate", area, to: "hostb", whenQuiet: true, deadline: "2h" };
    const weekly = await call("POST /api/v1/schedules", { every: "7d", name: "weekly", request: moving });
    expect(weekly).toMatchObject({ status: 201, body: { host: "hostb", every: 604_800_000 } });
    const { body } = await call("GET /api/v1/schedules");
    expect(body.schedules).toMatchObject([
      { name: "keep5", ok: true, last: null },
      { name: "weekly", ok: true },
    ]);
    const paused = await call("PUT /api/v1/schedules/keep5/pause");
    expect(paused).toMatchObject({
      status: 200,
      body: { name: "keep5", next: null, paused: { by: expect.stringMatching(/^http@/) } },
    });
    expect((await call("GET /api/v1/schedules")).body.schedules).toMatchObject([
      paused.body,
      { paused: null },
    ]);
    const resumed = await call("DELETE /api/v1/schedules/keep5/pause");
    expect(resumed).toMatchObject({ status: 200, body: { paused: null, next: added.body.next } });
    expect((await call("PUT /api/v1/schedules/none/pause")).body).toMatchObject({ code: "usage" });
    expect((await call("DELETE /api/v1/schedules/keep5")).body).toMatchObject({ name: "keep5" });
    expect(await call("DELETE /api/v1/schedules/keep5")).toMatchObject({
      status: 400,
      body: { code: "usage" },
    });
    await call("DELETE /api/v1/schedules/weekly");
  });

  it.each([
    ["no time", {}, 400],
    ["two times", { cron: "* * * * *", every: "1h" }, 400],
    ["a pattern of nothing", { cron: "x" }, 400],
    ["an interval of seconds", { every: "10s" }, 400],
    ["a member that is none", { every: "1h", often: true }, 400],
    [
      "a job that cannot be repeated",
      { every: "1h", request: { job: "restore", area: "/a", runname: "%" } },
      400,
    ],
  ])("are refused with %s", async (what, times, status) => {
    const area = served.stage.area(what.replaceAll(" ", "-"), "hosta");
    const request = { job: "reduce", area, age: "30d" };
    expect((await call("POST /api/v1/schedules", { request, ...times })).status).toBe(status);
    expect((await call("GET /api/v1/schedules")).body.schedules).toEqual([]);
  });
});

describe("policies over HTTP", () => {
  it("are the valid lines of all areas, whether they have requested a job or not, and what is wrong", async () => {
    const { stage } = served;
    const area = stage.area("lines", "hosta");
    const lines = ["[reduce-records]", "old age=30d; every=12h", "wrong age=often", ""];
    appendFileSync(join(area, "megatest.config"), lines.join("\n"));
    appendFileSync(join(area, "megatest.config"), "[purge-records]\nold age=900d; export=/archive\n");
    const { status, body } = await call("GET /api/v1/policies");
    expect(status).toBe(200);
    const of = (job: string) => ({ area, homehost: "hosta", job, name: "old" });
    expect(body.policies).toMatchObject([
      { ...of("reduce"), text: "age=30d; every=12h", everyMs: 43_200_000, request: { age: 2_592_000_000 } },
      { ...of("purge"), text: "age=900d; export=/archive", request: { export: "/archive" } },
    ]);
    expect(body.problems).toEqual([
      expect.stringMatching(/lines: \[reduce-records\] wrong: age: "often" is not a duration/),
    ]);
    expect(body.complete).toBe(true);
  });
});

describe("a drain over HTTP", () => {
  it("requests the migration of each area, does not wait for them, and is taken back", async () => {
    const { stage } = served;
    const area = stage.area("leaves", "hosta");
    stage.area("stays", "hostb");
    const dry = await call("PUT /api/v1/hosts/hosta/drain", { dryRun: true });
    expect(dry).toMatchObject({ status: 202, body: { host: "hosta", drained: false, moved: [] } });
    expect(dry.body.enqueued).toContainEqual({ area, to: "hostb", jobId: expect.any(String) });
    const real = await call("PUT /api/v1/hosts/hosta/drain", {
      whenQuiet: true,
      deadline: "1h",
      to: ["hostb"],
    });
    expect(real).toMatchObject({ status: 202, body: { drained: true } });
    const { jobId } = real.body.enqueued.find((one: { area: string }) => one.area === area);
    const job = await call(`GET /api/v1/jobs/${jobId}`);
    expect(job.body).toMatchObject({
      job: "migrate",
      area,
      data: { requestedBy: expect.stringMatching(/^http@/) },
    });
    const { body: fleet } = await call("GET /api/v1/hosts");
    const drained = fleet.hosts.find((one: { host: string }) => one.host === "hosta")?.drained;
    expect(drained).toMatchObject({ by: expect.stringMatching(/^http@/) });
    expect((await call("DELETE /api/v1/hosts/hosta/drain")).body).toEqual({
      host: "hosta",
      drained: false,
      was: true,
    });
    for (const one of real.body.enqueued) await call(`DELETE /api/v1/jobs/${one.jobId}`);
    const unknown = await call("PUT /api/v1/hosts/hosta/drain", { to: ["nowhere"] });
    expect(unknown).toMatchObject({ status: 409, body: { code: "unfit-host" } });
    expect((await call("PUT /api/v1/hosts/hosta/drain", { takeover: true })).status).toBe(400);
  });
});

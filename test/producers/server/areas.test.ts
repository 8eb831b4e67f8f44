import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { buildArea } from "../../../producers/demo/sample-area/build-area.ts";
import { openArea } from "../../../shared/area/area.ts";
import { ensureAreaId } from "../../../shared/area/area-id.ts";
import { appendHistory } from "../../../shared/area/history.ts";
import { temporaryDirectory, waitFor } from "../../support/area.ts";
import { withServerStage } from "../../support/queue.ts";

const served = withServerStage();
const { call } = served;
const byPath = (path: string) => call(`GET /api/v1/areas/by-path?path=${encodeURIComponent(path)}`);

describe("areas over HTTP", () => {
  it("are found below the roots, and shown by id or by path with what status tells of them", async () => {
    const { stage } = served;
    const directory = join(stage.root, "team", "a1");
    const cacheRoot = join(stage.root, "cache");
    buildArea({ directory, cacheRoot, user: "ann", host: "hosta", runs: 3, testsPerRun: 2 });
    const areaId = ensureAreaId(openArea(directory));
    for (const jobId of ["first", "second"]) appendHistory(openArea(directory), { jobId });
    symlinkSync(directory, join(stage.root, "team", "alias"));
    const broken = join(stage.root, "team", "broken");
    mkdirSync(broken);
    writeFileSync(join(broken, "megatest.config"), "");
    symlinkSync("/etc/passwd", join(broken, "megatest.db"));
    await stage.enqueue("hosta", directory, "later");
    // Found once, though two paths lead to it.
    expect((await call("GET /api/v1/areas")).body).toEqual({
      areas: [
        { area: directory, areaId, name: "a1", homehost: expect.any(String), problem: null },
        { area: broken, areaId: null, name: null, homehost: null, problem: expect.any(String) },
      ],
      warnings: [],
    });
    const one = await call(`GET /api/v1/areas/${areaId}`);
    expect(one.body).toMatchObject({ area: directory, areaId, completedRuns: 0, problems: [] });
    expect(one.body.runs).toBeGreaterThan(0);
    expect(one.body.jobs).toMatchObject([{ job: "reduce", state: "waiting" }]);
    expect((await byPath(directory)).body).toEqual(one.body);
    const history = await call(`GET /api/v1/areas/${areaId}/history`);
    expect(history).toMatchObject({
      status: 200,
      body: { history: [{ jobId: "first" }, { jobId: "second" }] },
    });
    const doctor = await call(`GET /api/v1/areas/${areaId}/doctor`);
    expect(doctor.body).toMatchObject({ area: directory, areaId, ok: expect.any(Boolean) });
    expect(doctor.body.checks.length).toBeGreaterThan(5);
    // It is measured anew for each answer.
    const now = { ...history.body.now, at: expect.any(Number) };
    for (const [name, body] of Object.entries({ history: { ...history.body, now }, doctor: doctor.body })) {
      expect((await call(`GET /api/v1/areas/by-path/${name}?path=${directory}`)).body).toEqual(body);
    }
    const none = await call("GET /api/v1/areas/01234567-89ab-4def-8123-456789abcdef");
    expect(none).toMatchObject({ status: 404, body: { code: "not-an-area" } });
  });

  it("outside the roots are refused in the same words whether or not they exist", async () => {
    const outside = temporaryDirectory();
    mkdirSync(join(outside, "there"));
    const { root } = served.stage;
    const paths = [
      join(outside, "there"),
      join(outside, "gone"),
      "/",
      "/etc/passwd",
      "/etc/nothing",
      `${root}/../../etc`,
      `${root}x`,
    ];
    for (const path of paths) {
      for (const answer of [
        await byPath(path),
        await call(`GET /api/v1/areas/by-path/history?path=${encodeURIComponent(path)}`),
        await call(`GET /api/v1/areas/by-path/doctor?path=${encodeURIComponent(path)}`),
        await call("POST /api/v1/jobs", { job: "reduce", area: path, runname: "%" }),
      ]) {
        expect([answer.status, answer.body.code]).toEqual([403, "outside-roots"]);
        expect(answer.body.detail).toMatch(/^\S+ is not inside the allowed roots$/);
      }
    }
    expect(
      (await call("GET /api/v1/jobs")).body.jobs.filter(({ area }: { area: string }) => paths.includes(area)),
    ).toEqual([]);
  });

  it("are not reached through links that lead out of the roots", async () => {
    const { stage } = served;
    const outside = temporaryDirectory();
    for (const file of ["megatest.config", "megatest.db"])
      writeFileSync(join(outside, file), "[fields]\nsysname TEXT\n");
    symlinkSync(outside, join(stage.root, "link"));
    symlinkSync(join(outside, "gone"), join(stage.root, "dangling"));
    for (const name of ["link", "dangling", "link/../link"]) {
      expect((await byPath(join(stage.root, name))).body).toMatchObject({
        status: 403,
        code: "outside-roots",
      });
    }
    const area = stage.area("config-out", "hosta");
    writeFileSync(join(area, "megatest.config"), `[include ${join(outside, "secret.config")}]\n`);
    writeFileSync(join(outside, "secret.config"), "[setup]\narea-name leaked\n");
    expect(JSON.stringify(await byPath(area))).not.toContain("leaked");
  });

  it("that are none, below the roots, are not found", async () => {
    const { root } = served.stage;
    for (const path of [join(root, "nothing"), root]) {
      expect((await byPath(path)).body).toMatchObject({ status: 404, code: "not-an-area" });
    }
    expect((await byPath("relative")).status).toBe(400);
    expect((await call("GET /api/v1/areas/by-path")).status).toBe(400);
    expect((await call("GET /api/v1/areas/not-a-uuid")).status).toBe(400);
  });
});

describe("hosts over HTTP", () => {
  it("appear with their worker once it serves, in /healthz too", async () => {
    await served.stage.worker("hostw");
    const { body } = await call("GET /api/v1/hosts");
    expect(body.hosts.find(({ host }: { host: string }) => host === "hostw")).toMatchObject({
      queue: "host.hostw",
      counts: { waiting: 0 },
      worker: { alive: true },
    });
    const health = await waitFor("the host in /healthz", async () => {
      const answer = await call("GET /healthz");
      return answer.body.hosts.length > 0 && answer.body;
    });
    expect(health).toEqual({ ok: true, redis: "up", hosts: [{ host: "hostw", worker: "alive" }] });
  });
});

import { beforeAll, describe, expect, it } from "vitest";
import { JobsError } from "../../../shared/errors.ts";
import { recordDeferral } from "../../../shared/queue/deferrals.ts";
import { waitFor } from "../../support/area.ts";
import { withServerStage } from "../../support/queue.ts";

const served = withServerStage();
const { call } = served;

beforeAll(async () => {
  await served.stage.worker("hosta");
});

describe("what the page reads of jobs", () => {
  it("lists jobs by kind, requester and text, the steps of one migration, and briefly without data and result", async () => {
    const { stage } = served;
    const area = stage.area("brief", "hostf");
    const add = (name: string, jobId: string, data: object) =>
      stage.add("hostf", name, { v: 1, area, ...data }, { jobId });
    await add("reduce", "reduce-f1", { requestedBy: "ann@hosta", runname: "x".repeat(100_000) });
    await add("migrate", "migrate-f2", { requestedBy: "bob@hosta", dryRun: true });
    await add("migrate-step", "check-f3", { step: "check", migration: "migrate-f2" });
    await add("migrate-step", "check-f4", { step: "check", migration: "migrate-f9" });
    const list = async (query: string) =>
      (await call(`GET /api/v1/jobs?host=hostf&${query}`)).body.jobs.map(
        ({ jobId }: { jobId: string }) => jobId,
      );
    expect(await list("job=migrate")).toEqual(["migrate-f2"]);
    expect(await list("by=ANN")).toEqual(["reduce-f1"]);
    expect((await list("text=/BRIEF")).sort()).toEqual(["migrate-f2", "reduce-f1"]);
    expect(await list("text=-f2")).toEqual(["migrate-f2"]);
    expect(await list("migration=migrate-f2")).toEqual(["check-f3"]);
    const brief = await call("GET /api/v1/jobs?host=hostf&brief=true&all=true");
    expect(JSON.stringify(brief.body).length).toBeLessThan(5000);
    const found = (id: string) => brief.body.jobs.find(({ jobId }: { jobId: string }) => jobId === id);
    expect(found("migrate-f2")).toMatchObject({ dryRun: true, requestedBy: "bob@hosta", movedRuns: null });
    expect(found("check-f3")).toMatchObject({ step: "check" });
  });

  it("gives a job's new lines of the log, why it waits, and its result in words", async () => {
    const { stage } = served;
    const area = stage.area("pieces", "hosta");
    const jobId = await stage.enqueue("hosta", area, "hold");
    await stage.traced(area, "begin");
    const follow = async (id: string, query = "") =>
      (await call(`GET /api/v1/jobs/${id}/follow?${query}`)).body;
    const first = await waitFor("the log", async () => {
      const body = await follow(jobId);
      return body.log.length > 0 && body;
    });
    expect(first).toMatchObject({ jobId, state: "active", served: true, resultText: null, finishedAt: null });
    expect(first.log).toContainEqual(expect.stringContaining("the script is hold"));
    expect(first.from).toBe(first.log.length);
    expect((await follow(jobId, `from=${first.from}`)).log).toEqual([]);
    stage.release(area);
    await stage.reach("hosta", jobId, "completed");
    const ended = await follow(jobId);
    expect(ended).toMatchObject({ state: "completed", finishedAt: expect.any(String) });
    expect(ended.resultText).toContain(`${jobId}: moved 0 runs of ${area} on hosta`);
    const delayed = await stage.add("hostw", "reduce", { v: 1, area }, { jobId: "reduce-w", delay: 60_000 });
    expect(await follow(delayed)).toMatchObject({ state: "delayed", waitsFor: null, served: false });
    const reason = new JobsError("paused", "a stop file pauses the area");
    await recordDeferral(stage.redis, stage.prefix, { host: "hostw", jobId: delayed }, reason);
    expect((await follow(delayed)).waitsFor).toMatchObject({ code: "paused", message: reason.message });
    for (const query of ["from=-1", "from=x", "other=1"])
      expect([query, (await follow(jobId, query)).status]).toEqual([query, 400]);
  });
});

import { beforeAll, describe, expect, it } from "vitest";
import { announceHost } from "../../../shared/queue/hosts.ts";
import { waitFor } from "../../support/area.ts";
import { withServerStage } from "../../support/queue.ts";

const served = withServerStage();
const { call } = served;
const post = (body: object, headers: Record<string, string> = {}) => call("POST /api/v1/jobs", body, headers);

beforeAll(async () => {
  await served.stage.worker("hosta");
});

/** Makes a host known whose worker takes no job. */
async function announce(host: string): Promise<void> {
  await announceHost(served.stage.redis, served.stage.prefix, {
    ...{ host, address: null, version: "1", pid: 1, user: "ann", cacheRoot: "/tmp", areas: [] },
    startedAt: new Date().toISOString(),
  });
}

describe("jobs over HTTP", () => {
  it("enqueues a job as the command does, which a worker then does and which can be followed", async () => {
    const { stage } = served;
    const area = stage.area("followed", "hosta");
    const { status, headers, body } = await post({
      job: "reduce",
      area,
      runname: "hold",
      age: "30d",
      requestedBy: "ann@ci",
    });
    expect({ status, body }).toEqual({
      status: 202,
      body: {
        jobId: expect.stringMatching(/^reduce-[0-9a-f]{16}$/),
        job: "reduce",
        area,
        host: "hosta",
        duplicate: false,
        served: true,
      },
    });
    expect(headers.get("location")).toBe(`/api/v1/jobs/${body.jobId}`);
    await stage.traced(area, "begin");
    const running = await waitFor("progress", async () => {
      const job = await call(`GET /api/v1/jobs/${body.jobId}`);
      return job.body.progress !== null && job;
    });
    expect(running.body).toMatchObject({
      state: "active",
      requestedBy: "ann@ci",
      data: { v: 1, age: 2_592_000_000 },
    });
    stage.release(area);
    await stage.reach("hosta", body.jobId, "completed");
    const ended = await call(`GET /api/v1/jobs/${body.jobId}`);
    expect(ended.body).toMatchObject({
      state: "completed",
      result: { jobId: body.jobId },
      log: expect.any(Array),
    });
  });

  it("says who asked, where the request does not, by its address", async () => {
    const area = served.stage.area("asked", "hostq");
    const { body } = await post({
      job: "restore",
      area,
      runId: [7],
      grace: "1m",
      maxTime: "500ms",
      onConflict: "rename",
    });
    const job = await call(`GET /api/v1/jobs/${body.jobId}`);
    expect(job.body).toMatchObject({
      job: "restore",
      requestedBy: "http@127.0.0.1",
      data: { grace: 60_000, maxTime: 500 },
    });
  });

  it("asks for a migration as the command does, in the queue of the host that is to be the home", async () => {
    await announce("hostt");
    const area = served.stage.area("moving", "hostm");
    const migrate = (more: object) => post({ job: "migrate", area, dryRun: true, ...more });
    const { status, body } = await migrate({ to: "hostt", quietFor: "5m" });
    expect({ status, body }).toMatchObject({ status: 202, body: { job: "migrate", host: "hostt", area } });
    const job = await call(`GET /api/v1/jobs/${body.jobId}`);
    expect(job.body).toMatchObject({
      requestedBy: "http@127.0.0.1",
      data: { to: "hostt", quietFor: 300_000 },
    });
    expect(await migrate({ to: "nobody" })).toMatchObject({ status: 409, body: { code: "unfit-host" } });
    expect(await migrate({ to: "hostt", deadline: "1h" })).toMatchObject({
      status: 400,
      body: { code: "usage" },
    });
    const confirmed = await migrate({ to: "hostt", confirmed: true });
    expect(confirmed).toMatchObject({ status: 400, body: { code: "usage" } });
    const twice = await migrate({ to: "hostt", takeover: true, confirmed: true });
    expect(twice.body).toMatchObject({ duplicate: false, job: "migrate" });
  });

  it("ends a job that waits, and one that runs at its next batch", async () => {
    const { stage } = served;
    const area = stage.area("ended", "hosta");
    const waiting = await stage.enqueue("hoste", area, "later");
    const removed = await call(`DELETE /api/v1/jobs/${waiting}`);
    expect(removed).toMatchObject({ status: 200, body: { outcome: "removed", host: "hoste" } });
    expect((await stage.story("hoste", waiting)).at(-1)).toBe("Cancelled by http@127.0.0.1.");
    const busy = { v: 1, area: stage.area("put-off", "hosta"), runname: "busy" };
    const delayed = await stage.add("hosta", "reduce", busy, { attempts: 2, backoff: 60_000 });
    await stage.reach("hosta", delayed, "delayed");
    const ended = await call(`DELETE /api/v1/jobs/${delayed}`);
    expect(ended).toMatchObject({ status: 200, body: { outcome: "ended", host: "hosta" } });
    const running = await post({ job: "reduce", area, runname: "hold" });
    await stage.traced(area, "begin");
    const requested = await call(`DELETE /api/v1/jobs/${running.body.jobId}`);
    expect(requested).toMatchObject({ status: 202, body: { outcome: "requested" } });
    await stage.reach("hosta", running.body.jobId, "failed");
    const again = await call(`DELETE /api/v1/jobs/${running.body.jobId}`);
    expect(again).toMatchObject({ status: 200, body: { outcome: "finished" } });
  });

  it("requests the work of a failed job again as a new one, and refuses a job that has not failed", async () => {
    const { stage } = served;
    const area = stage.area("retried", "hosta");
    const failed = (await post({ job: "reduce", area, runname: "refuse" })).body.jobId;
    await stage.reach("hosta", failed, "failed");
    const retried = await call(`POST /api/v1/jobs/${failed}/retry`);
    const { jobId } = retried.body;
    expect(retried).toMatchObject({ status: 202, body: { retryOf: failed, area, duplicate: false } });
    expect(retried.headers.get("location")).toBe(`/api/v1/jobs/${jobId}`);
    await stage.reach("hosta", jobId, "failed");
    const waiting = await stage.enqueue("hostr", area, "later");
    const refused = await call(`POST /api/v1/jobs/${waiting}/retry?host=hostr`);
    expect(refused).toMatchObject({ status: 400, body: { code: "usage" } });
    expect((await call("POST /api/v1/jobs/none/retry")).status).toBe(404);
  });

  it("lists jobs by state and host, the newest first, as many as asked for", async () => {
    const { stage } = served;
    const area = stage.area("listed", "hostl");
    await stage.add("hostl", "reduce", {}, { delay: 60_000 });
    const ids: string[] = [];
    for (const runname of ["l1", "l2", "l3"]) ids.unshift(await stage.enqueue("hostl", area, runname));
    const list = async (query: string) =>
      (await call(`GET /api/v1/jobs?${query}`)).body.jobs.map(({ jobId }: { jobId: string }) => jobId);
    expect(await list("host=hostl&state=waiting")).toEqual(ids);
    expect(await list("host=hostl&state=waiting&limit=2")).toEqual(ids.slice(0, 2));
    expect(await list("host=hostl&limit=1")).toEqual(ids.slice(0, 1));
    expect(await list("host=nobody")).toEqual([]);
    await stage.add(
      "hostl",
      "migrate-step",
      { v: 1, area, step: "tend" },
      { jobId: "tend-l", timestamp: Date.now() + 1000 },
    );
    expect(await list(`area=${encodeURIComponent(area)}`)).toEqual(ids);
    expect(await list(`area=${encodeURIComponent(area)}&all=true&limit=2`)).toEqual(["tend-l", ids[0]]);
    expect((await list("host=hostl&state=delayed")).length).toBe(1);
    expect((await call("GET /api/v1/jobs?state=done")).body).toMatchObject({ status: 400, code: "usage" });
  });

  it.each(["unknown-0123", "meta", "wait", "events", "%2e%2e", "completed", "x%00y"])(
    "knows no job %s, also where the queue has a key of that name",
    async (id) => {
      for (const method of ["GET", "DELETE"]) {
        const answer = await call(`${method} /api/v1/jobs/${id}`);
        expect(answer).toMatchObject({ status: 404, body: { status: 404 } });
      }
    },
  );

  it.each([
    [{ job: "reduce", runname: "%" }, "area"],
    [{ job: "reduce", area: "relative", runname: "%" }, "area"],
    [{ job: "reduce", area: "/a", runname: "%", onConflict: "rename" }, "onConflict"],
    [{ job: "reduce", area: "/a", age: "30 days" }, "age"],
    [{ job: "reduce", area: "/a", runId: ["07"] }, "runId.0: an id is a whole number from -2^63 to"],
    [{ job: "reduce", area: "/a", runname: "%", inline: true }, "inline"],
    [{ job: "repair", area: "/a" }, "job"],
    [{ job: "migrate-step", area: "/a", step: "tend" }, "job"],
    [{ job: "migrate", area: "/a" }, "to"],
    [{ area: "/a" }, "job"],
    [[], "body"],
  ])("refuses %j and names the member that is wrong", async (body, member) => {
    const { status, headers, body: problem } = await post(body);
    expect(status).toBe(400);
    expect(headers.get("content-type")).toMatch(/^application\/problem\+json/);
    expect(problem).toMatchObject({ type: "urn:mtjobs:error:bad-payload", status: 400, code: "bad-payload" });
    expect(problem.details.problems.join()).toContain(member);
  });

  it("refuses a job without any selector with the words of the command", async () => {
    const area = served.stage.area("all", "hosta");
    const { body } = await post({ job: "reduce", area });
    expect(body).toMatchObject({
      code: "usage",
      detail: "reduce: no selector given",
      hint: expect.any(String),
    });
  });
});

describe("a number that several hosts' queues gave", () => {
  it("means a job only beside its host", async () => {
    for (const host of ["hostm", "hostn"]) await served.stage.add(host, "reduce", { area: `/areas/${host}` });
    expect(await call("GET /api/v1/jobs/1")).toMatchObject({ status: 400, body: { code: "usage" } });
    const one = await call("GET /api/v1/jobs/1?host=hostn");
    expect(one).toMatchObject({ status: 200, body: { host: "hostn", area: "/areas/hostn" } });
    expect((await call("DELETE /api/v1/jobs/1?host=hostm")).body).toMatchObject({ outcome: "removed" });
    expect((await call("GET /api/v1/jobs/1?host=hostn")).body).toMatchObject({ state: "waiting" });
  });
});

describe("an Idempotency-Key", () => {
  const key = (value: string) => ({ "idempotency-key": value });

  it("makes the same request one job, also once that job has ended", async () => {
    const area = served.stage.area("once", "hosto");
    const body = { job: "reduce", area, runname: "once" };
    const first = await post(body, key("k1"));
    await call(`DELETE /api/v1/jobs/${first.body.jobId}`);
    // A running one ends at its next batch; until then the same work is the same job.
    await served.stage.reach("hosta", first.body.jobId, "failed");
    const second = await post(body, key("k1"));
    expect(second.body).toEqual(first.body);
    expect([first, second].map(({ headers }) => headers.get("idempotency-replayed"))).toEqual([null, "true"]);
    const other = await post(body, key("k2"));
    expect(other.body.jobId).not.toBe(first.body.jobId);
  });

  it("is not used up by a request that is refused: the corrected request may use it again", async () => {
    const area = served.stage.area("mended", "hosto");
    const refused = await post({ job: "reduce", area: `${area}-elsewhere`, runname: "x" }, key("k5"));
    expect(refused).toMatchObject({ status: 404, body: { code: "not-an-area" } });
    const repaired = await post({ job: "reduce", area, runname: "x" }, key("k5"));
    expect(repaired).toMatchObject({ status: 202, body: { area } });
    expect((await post({ job: "reduce", area, runname: "x" }, key("k5"))).body).toEqual(repaired.body);
  });

  it("is refused for another request", async () => {
    const area = served.stage.area("other", "hosto");
    await post({ job: "reduce", area, runname: "one" }, key("k3"));
    const { status, body } = await post({ job: "reduce", area, runname: "two" }, key("k3"));
    expect({ status, body }).toMatchObject({ status: 422, body: { status: 422, code: "usage" } });
    expect(
      (await call("GET /api/v1/jobs?host=hosta")).body.jobs.filter(
        (job: { area: string }) => job.area === area,
      ),
    ).toHaveLength(1);
  });

  it("makes one job of requests that come at once, and of one whose answer was lost when the home had moved", async () => {
    const { stage } = served;
    const area = stage.area("lost", "hosta");
    const body = { job: "reduce", area, runname: "lost", dryRun: true };
    const answers = await Promise.all([1, 2, 3].map(() => post(body, key("k4"))));
    const ids = new Set(answers.map((answer) => answer.body.jobId));
    expect(ids.size).toBe(1);
    // The server died before it could note the answer.
    for (const place of await stage.redis.keys(`${stage.prefix}:idempotency:*`)) {
      const { fingerprint } = JSON.parse((await stage.redis.get(place)) ?? "");
      await stage.redis.set(place, JSON.stringify({ fingerprint }));
    }
    await announce("hostz");
    stage.moveHome(area, "hostz");
    expect((await post(body, key("k4"))).body.jobId).toBe([...ids][0]);
    const jobs = (await call("GET /api/v1/jobs")).body.jobs as { area: string }[];
    expect(jobs.filter((job) => job.area === area)).toHaveLength(1);
  });
});

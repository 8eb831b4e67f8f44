import { describe, expect, it } from "vitest";
import { requestNames } from "../../../producers/jobs/request-job.ts";
import { waitFor } from "../../support/area.ts";
import { withServerStage } from "../../support/queue.ts";

interface BoardQueue {
  name: string;
  displayName: string;
  readOnlyMode: boolean;
  isPaused: boolean;
  jobs: { id: string; name: string }[];
}

const shows = withServerStage();

describe("the board", () => {
  it("shows the queues of all hosts, those that appear later too, and what each job does", async () => {
    const { stage, call } = shows;
    const queues = async () => (await call("GET /queues/api/queues")).body.queues as BoardQueue[];
    await stage.enqueue("hosta", "/areas/a1", "first");
    await waitFor("the first host's queue", async () => (await queues()).length === 1);
    expect((await queues()).map(({ name }) => name)).toEqual(["host.hosta"]);
    await stage.enqueue("hostb", "/areas/a1", "x");
    await stage.add("hostb", "reduce", "nonsense");
    await waitFor("the new host's queue", async () => (await queues()).length === 2);
    const { body } = await call("GET /queues/api/queues?activeQueue=host.hostb&status=waiting&page=1");
    const shown = (body.queues as BoardQueue[]).find(({ name }) => name === "host.hostb");
    expect(shown).toMatchObject({ displayName: "hostb", readOnlyMode: true });
    expect(shown?.jobs.map(({ name }) => name).sort()).toEqual(["reduce", "reduce /areas/a1"]);
  });

  it("groups queues by the delimiter, unless a host's name has a dot, and leads from a job to its page", async () => {
    const { stage, call } = shows;
    await stage.add("linked", "reduce", {}, { jobId: "a/b" });
    await stage.add("linked.example.org", "reduce", {});
    await waitFor("both queues", async () => {
      const { body } = await call("GET /queues/api/queues");
      return (body.queues as BoardQueue[]).filter(({ name }) => name.startsWith("host.linked")).length === 2;
    });
    const shown = async (host: string) => {
      const { body } = await call(`GET /queues/api/queues?activeQueue=host.${host}&status=waiting&page=1`);
      return (body.queues as { name: string; delimiter: string; jobs: { externalUrl: unknown }[] }[]).find(
        ({ name }) => name === `host.${host}`,
      );
    };
    const one = await shown("linked");
    expect([one?.delimiter, one?.jobs[0]?.externalUrl]).toEqual([
      ".",
      { displayText: "Show in mtjobs", href: "/jobs/a%2Fb" },
    ]);
    const other = await shown("linked.example.org");
    expect([other?.delimiter, other?.jobs[0]?.externalUrl]).toEqual([
      "",
      { displayText: "Show in mtjobs", href: "/jobs/1?host=linked.example.org" },
    ]);
  });

  it("describes the data of each job that may be requested", async () => {
    const { stage, call } = shows;
    await stage.enqueue("hostc", "/areas/a1", "first");
    await waitFor("the queue", async () => {
      const { body } = await call("GET /queues/api/queues");
      return (body.queues as BoardQueue[]).some(({ name }) => name === "host.hostc");
    });
    const { status, body } = await call("GET /queues/api/queues/host.hostc/job-data-schema");
    expect([status, body.anyOf.map(({ title }: { title: string }) => title)]).toEqual([
      200,
      [...requestNames],
    ]);
    expect(body.anyOf[0]).toMatchObject({
      properties: { area: { type: "string" }, dryRun: { type: "boolean" } },
      required: ["v", "area"],
    });
  });

  it("is a page with its own assets, and asks no other site", async () => {
    for (const path of ["/queues", "/queues/", "/queues/queue/host.hosta"]) {
      const page = await shows.call(`GET ${path}`);
      expect([path, page.status]).toEqual([path, 200]);
      expect(page.body).not.toMatch(/(?:src|href)="https?:/);
      const [, base] = /<base href="([^"]+)"/.exec(page.body) ?? [];
      expect(base).toBe("/queues/");
      const scripts = [...page.body.matchAll(/src="(static[^"]+)"/g)].map(([, script]) => script);
      expect(scripts.length).toBeGreaterThan(0);
      for (const script of scripts) expect((await shows.call(`GET /queues/${script}`)).status).toBe(200);
    }
  });

  it("changes nothing unless the server was started with --board-write", async () => {
    const { stage, call } = shows;
    const jobId = await stage.enqueue("hosta", "/areas/a1", "stays");
    const changes = [
      "PUT /queues/api/queues/pause",
      "PUT /queues/api/queues/host.hosta/pause",
      "PUT /queues/api/queues/host.hosta/empty",
      `PUT /queues/api/queues/host.hosta/${jobId}/clean`,
      "POST /queues/api/queues/host.hosta/add",
    ];
    for (const line of changes) expect([line, (await call(line)).status]).toEqual([line, 405]);
    expect(await stage.state("hosta", jobId)).toBe("waiting");
  });

  describe("with --board-write", () => {
    const writes = withServerStage({ args: ["--board-write"] });

    it("pauses a queue and removes a job", async () => {
      const { stage, call } = writes;
      const jobId = await stage.enqueue("hosta", "/areas/a1", "goes");
      await call("GET /queues/api/queues");
      expect((await call("PUT /queues/api/queues/host.hosta/pause")).status).toBe(200);
      const { body } = await call("GET /queues/api/queues");
      expect(body.queues).toMatchObject([{ name: "host.hosta", isPaused: true, readOnlyMode: false }]);
      expect((await call(`PUT /queues/api/queues/host.hosta/${jobId}/clean`)).status).toBe(204);
      expect(await stage.state("hosta", jobId)).toBe("unknown");
    });
  });
});

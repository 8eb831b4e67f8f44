import { describe, expect, it } from "vitest";
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

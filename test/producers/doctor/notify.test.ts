import { createHmac } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { healthyArea, waitFor } from "../../support/area.ts";
import {
  commandEnv,
  documentOf,
  errorCodeOf,
  onQueue,
  type QueueStage,
  runCommand,
  withReceiver,
} from "../../support/queue.ts";

const webhook = (url: string) => ({ MTJOBS_WEBHOOK_URL: url, MTJOBS_WEBHOOK_SECRET: "a key" });

const doctor = (stage: QueueStage, args: string[], env: Record<string, string> = {}) =>
  runCommand(["doctor", ...args, "--json"], { env: { ...commandEnv(stage), ...env } });

it("doctor --all --notify has a worker send what is wrong with each area, signed, and once a day", () =>
  withReceiver((url, got) =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      const broken = join(stage.root, "broken");
      mkdirSync(join(broken, "megatest.db"), { recursive: true });
      writeFileSync(join(broken, "megatest.config"), "[include missing.config]\n");
      await stage.worker("hosta", webhook(url));
      const found = await doctor(stage, ["--all", "--notify"], webhook(url));
      const { areas, notified } = documentOf(found) as {
        areas: { area: string; checks: { name: string; ok: boolean | null; verdict: string }[] }[];
        notified: string[];
      };
      expect(found.code).toBe(1);
      expect(areas.map((each) => each.area)).toEqual([area, broken]);
      expect(notified).toHaveLength(2);
      // The first is answered with an error, and comes again.
      await waitFor("three deliveries", () => got.length === 3, { deadline: 30_000, state: () => got });
      const sent = new Map(got.map(({ body }) => [JSON.parse(body).area, JSON.parse(body)]));
      const wrong = areas[0]?.checks.filter(({ ok }) => ok === false) ?? [];
      expect(sent.get(area)).toEqual({
        id: notified[0],
        type: "doctor.findings",
        at: expect.stringMatching(/^\d{4}-.*Z$/),
        host: "hosta",
        area,
        areaId: null,
        findings: wrong.map(({ name, verdict }) => expect.objectContaining({ name, verdict })),
        text: `doctor found ${wrong.length} problems in ${area}: ${wrong.map(({ name }) => name).join(", ")}`,
      });
      expect(sent.get(broken).findings).toMatchObject([{ name: "config" }]);
      const [{ headers, body }] = got as [(typeof got)[0]];
      const signature = createHmac("sha256", "a key").update(body).digest("hex");
      expect(headers["x-mtjobs-signature"]).toBe(`sha256=${signature}`);
      const again = await doctor(stage, ["--all", "--notify"], { ...webhook(url), MTJOBS_HOST: "hosta" });
      expect(documentOf(again).notified).toEqual(notified);
      const counts = await stage.redis.zcard(`${stage.prefix}:webhook:completed`);
      expect(counts).toBe(2);
    }),
  ));

it("doctor --notify queues nothing without problems, and needs no Redis then", async () => {
  const area = healthyArea();
  const env = {
    ...{ MTJOBS_HOST: area.host, MTJOBS_USER: area.user, MTJOBS_CACHE_ROOT: area.cacheRoot },
    ...{ MTJOBS_REDIS_URL: "redis://127.0.0.1:1", MTJOBS_WEBHOOK_URL: "http://127.0.0.1:1/" },
  };
  const well = await runCommand(["doctor", area.directory, "--notify", "--json"], { env });
  expect([well.code, documentOf(well)]).toMatchObject([0, { ok: true, notified: [] }]);
});

it("doctor --notify prints what it found though Redis is away, and ends with 4", () =>
  onQueue(async (stage) => {
    const area = stage.area("a1", "hosta");
    const away = { ...webhook("http://127.0.0.1:1/"), MTJOBS_REDIS_URL: "redis://127.0.0.1:1" };
    const found = await doctor(stage, [area, "--notify"], away);
    expect([found.code, documentOf(found)]).toMatchObject([
      4,
      { area, ok: false, error: { code: "redis-unreachable" } },
    ]);
  }));

it.each([
  [["--all", "/areas/a1"], 2, "usage"],
  [["--all", "--repair"], 2, "usage"],
  [["--notify"], 2, "bad-settings"],
])("doctor %j is refused", async (args, code, error) => {
  const refused = await runCommand(["doctor", ...args, "--json"], { env: { MTJOBS_AREAS: "/areas" } });
  expect([refused.code, errorCodeOf(refused)]).toEqual([code, error]);
});

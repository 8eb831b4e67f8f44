import { createHmac } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { isCampaign, waitFor } from "../support/area.ts";
import { canStartServer, type Delivery, onQueue, withReceiver, withServer } from "../support/queue.ts";

it("tells of an automatic job that failed, signed and again after an error, and of no other job", () =>
  withReceiver((url, got) =>
    onQueue(async (stage) => {
      const worker = await stage.worker("hosta", { MTJOBS_WEBHOOK_URL: url, MTJOBS_WEBHOOK_SECRET: "a key" });
      const area = stage.area("a1", "hosta");
      const reduce = { v: 1, area, requestedBy: "ann@hosta", runname: "refuse" };
      const asked = await stage.add("hosta", "reduce", reduce);
      await stage.reach("hosta", asked, "failed");
      const scheduled = await stage.add("hosta", "reduce", { ...reduce, schedule: "nightly", keep: 1 });
      await stage.reach("hosta", scheduled, "failed");
      await waitFor("two deliveries", () => got.length === 2, { deadline: 30_000, state: () => got });
      const [first, second] = got as [Delivery, Delivery];
      expect(second.body).toBe(first.body);
      expect(JSON.parse(second.body)).toEqual({
        id: `job.failed-${scheduled}`,
        type: "job.failed",
        at: expect.stringMatching(/^\d{4}-.*Z$/),
        host: "hosta",
        jobId: scheduled,
        job: "reduce",
        area,
        requestedBy: "ann@hosta",
        origin: { kind: "schedule", name: "nightly" },
        error: { code: "pinned", message: "this area is pinned" },
        text: `reduce of ${area} failed on hosta: this area is pinned`,
      });
      const signature = createHmac("sha256", "a key").update(second.body).digest("hex");
      expect(second.headers["x-mtjobs-signature"]).toBe(`sha256=${signature}`);
      expect(second.headers["x-mtjobs-delivery"]).toBe(`job.failed-${scheduled}`);
      expect(worker.stderr()).toContain("the webhook was not reached (HTTP 500); it is tried again");
      for (const hidden of ["in-the-url", "a key"]) expect(worker.stderr()).not.toContain(hidden);
    }),
  ));

it("keeps what could not be sent for the next worker", () =>
  withReceiver((url, got) =>
    onQueue(async (stage) => {
      const away = "http://127.0.0.1:1/hook";
      const first = await stage.worker("hosta", { MTJOBS_WEBHOOK_URL: away });
      const area = stage.area("a1", "hosta");
      const id = await stage.add("hosta", "reduce", {
        ...{ v: 1, area, requestedBy: "ann@hosta", runname: "refuse" },
        schedule: "nightly",
      });
      await stage.reach("hosta", id, "failed");
      await waitFor("the failed attempt", () => /not reached/.test(first.stderr()), { state: first.stderr });
      first.child.kill("SIGTERM");
      expect(await first.exited).toBe(0);
      // The receiver's first answer is an error.
      got.push({ headers: {}, body: "" });
      await stage.worker("hosta", { MTJOBS_WEBHOOK_URL: url });
      await waitFor("the delivery", () => got.length === 2, { deadline: 30_000, state: () => got });
      expect(JSON.parse(got[1]?.body ?? "").jobId).toBe(id);
    }),
  ));

it.runIf(isCampaign)("sends a message although two workers were killed while they sent it", () =>
  withReceiver(
    (url, got) =>
      onQueue(async (stage) => {
        const area = stage.area("a1", "hosta");
        const reduce = { v: 1, area, requestedBy: "ann@hosta", runname: "refuse", schedule: "nightly" };
        await stage.add("hosta", "reduce", reduce);
        for (const nth of [1, 2, 3]) {
          const worker = await stage.worker("hosta", { MTJOBS_WEBHOOK_URL: url });
          await waitFor(`request ${nth}`, () => got.length === nth, {
            deadline: 45_000,
            state: worker.stderr,
          });
          if (nth === 3) continue;
          worker.child.kill("SIGKILL");
          await worker.exited;
        }
        expect(got.map(({ body }) => JSON.parse(body))).toMatchObject(
          Array(3).fill({ type: "job.failed", area }),
        );
      }),
    (nth) => (nth <= 2 ? undefined : 204),
  ),
);

it.skipIf(!canStartServer)("does not keep a worker from stopping while Redis is away", () =>
  withServer([], async (url, server) => {
    await onQueue(async (stage) => {
      const worker = await stage.worker("hosta", { MTJOBS_WEBHOOK_URL: "http://127.0.0.1:1/hook" });
      await server.signal("SIGSTOP");
      worker.child.kill("SIGTERM");
      const ended = await Promise.race([worker.exited, sleep(20_000, "still there")]);
      await server.signal("SIGCONT");
      expect(ended).not.toBe("still there");
    }, url);
  }),
);

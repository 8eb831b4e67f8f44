import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { MtJobs } from "../../producers/client/mtjobs.ts";
import type { MigrateOptions } from "../../producers/jobs/check-migrate.ts";
import { setDrained } from "../../shared/queue/hosts.ts";
import { resolveSettings } from "../../shared/settings/settings.ts";
import { rejectionOf } from "../support/area.ts";
import { announce, migrated, onQueue, type QueueStage, refused, withStandIn } from "../support/queue.ts";

async function withLibrary(stage: QueueStage, body: (mtjobs: MtJobs) => Promise<void>): Promise<void> {
  const flags = { redisUrl: stage.url, prefix: stage.prefix, host: "hosta" };
  const elsewhere = () => Promise.reject(new Error("not here"));
  const mtjobs = new MtJobs(resolveSettings({ flags }), {
    env: {},
    cwd: stage.root,
    runInline: elsewhere,
    runRepair: elsewhere,
  });
  try {
    await body(mtjobs);
  } finally {
    await mtjobs.close();
  }
}

describe("asking for a migration", () => {
  it("is refused for a host that is not known, has gone or is drained, before anything is enqueued", () =>
    onQueue(async (stage) => {
      stage.area("a1", "10.0.0.1");
      for (const host of ["hostb", "hostc"]) await announce(stage, host);
      await setDrained(stage.redis, stage.prefix, "hostb", "ann@hosta");
      await stage.redis.del(`${stage.prefix}:alive:hostc`);
      await withLibrary(stage, async (mtjobs) => {
        const refusal = (to: string) => rejectionOf(mtjobs.migrate("a1", { to }));
        const code = "unfit-host";
        expect(await refusal("hostb")).toMatchObject({
          code,
          message: expect.stringContaining("ann@hosta drained it"),
        });
        expect(await refusal("hostc")).toMatchObject({
          code,
          message: expect.stringContaining("the worker of hostc is gone"),
        });
        expect(await refusal("hostd")).toMatchObject({
          code,
          message: "no worker has the name or address hostd",
          hint: expect.stringMatching(/^no host has a worker now; or start one there/),
        });
        await announce(stage, "hoste", { address: "10.0.0.5" });
        expect((await refusal("hostd")).hint).toMatch(
          /^hosts with a worker: hoste \(10\.0\.0\.5\); or start one/,
        );
        expect((await refusal("hostc")).hint).toContain("hosts with a worker: hoste (10.0.0.5)");
        expect(await mtjobs.jobs()).toEqual([]);
      });
    }));

  it("is refused for a pinned area, but for a dry run, which shows all that speaks against it", () =>
    onQueue(async (stage) => {
      appendFileSync(join(stage.area("a1", ""), "megatest.config"), "[server]\nhomehost 10.0.0.1\n");
      await announce(stage, "hosta");
      await withLibrary(stage, async (mtjobs) => {
        expect(await rejectionOf(mtjobs.migrate("a1"))).toMatchObject({ code: "pinned", exitCode: 3 });
        expect(await mtjobs.migrate("a1", { dryRun: true })).toMatchObject({ host: "hosta" });
      });
    }));

  it("is refused with options that do not go together or are none", () =>
    onQueue(async (stage) => {
      stage.area("a1", "10.0.0.1");
      await withLibrary(stage, async (mtjobs) => {
        const wrong: [MigrateOptions, string][] = [
          [{ deadline: "1h" }, "usage"],
          [{ yes: true }, "usage"],
          [{ takeover: true, whenQuiet: true }, "usage"],
          [{ quietFor: "soon" }, "usage"],
          [{ quietFor: -1 }, "bad-payload"],
          [{ to: "no/host" }, "bad-payload"],
        ];
        for (const [options, code] of wrong)
          expect(await rejectionOf(mtjobs.migrate("a1", options))).toMatchObject({ code, exitCode: 2 });
      });
    }));

  it("gives a program the result, or rejects with the document of a refusal in the details", () =>
    onQueue(async (stage) => {
      stage.area("a1", "10.0.0.1");
      const checks = [{ name: "servers" as const, ok: false, detail: "a server is alive" }];
      await withLibrary(stage, (mtjobs) =>
        withStandIn(
          stage,
          "hostb",
          (job) => (job.data.now === true ? migrated(job) : refused(job, checks)),
          async () => {
            const done = await mtjobs.migrate("a1", { to: "hostb", now: true });
            expect(await done.result()).toMatchObject({ outcome: "migrated", to: "10.0.0.2" });
            const error = await rejectionOf((await mtjobs.migrate("a1", { to: "hostb" })).result());
            expect(error).toMatchObject({ code: "not-quiescent", details: { result: { checks } } });
          },
        ),
      );
    }));
});

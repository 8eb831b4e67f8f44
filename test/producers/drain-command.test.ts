import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Job } from "bullmq";
import { describe, expect, it } from "vitest";
import { listDrained } from "../../shared/queue/hosts.ts";
import {
  announce,
  documentOf,
  errorCodeOf,
  migrated,
  onQueue,
  type QueueStage,
  refused,
  runProgram,
  withStandIn,
} from "../support/queue.ts";

const run = (stage: QueueStage, ...args: string[]) =>
  runProgram(stage, args, { host: "hostz", areas: stage.root });

const drainedHosts = async ({ redis, prefix }: QueueStage) => [...(await listDrained(redis, prefix)).keys()];

const busy = [{ name: "tests" as const, ok: false, detail: "2 tests are running" }];
const unlessBusy = (job: Job) => (job.data.area.endsWith("busy") ? refused(job, busy) : migrated(job));

describe("drain", () => {
  it("refuses a host that nothing knows, but not one with a queue, or where a .homehost cannot be read", () =>
    onQueue(async (stage) => {
      stage.area("a1", "hosta");
      await announce(stage, "hostb");
      const wrong = await run(stage, "drain", "hostx", "--json");
      expect([wrong.code, errorCodeOf(wrong), await drainedHosts(stage)]).toEqual([2, "usage", []]);
      await stage.add("hostx", "reduce", { v: 1, area: "/a" }, { jobId: "reduce-1" });
      expect((await run(stage, "drain", "hostx", "--json")).code).toBe(0);
      stage.area("broken", "two words");
      expect((await run(stage, "drain", "hosty", "--json")).code).toBe(1);
      expect((await drainedHosts(stage)).sort()).toEqual(["hostx", "hosty"]);
    }));

  it("moves each area that is at home on the host, spread over the others, and tells what stays and why", () =>
    onQueue(async (stage) => {
      const [a1, a2, a3] = [
        stage.area("a1", "10.0.0.1"),
        stage.area("a2", "hosta"),
        stage.area("busy", "10.0.0.1"),
      ];
      const pinned = stage.area("pinned", "");
      appendFileSync(join(pinned, "megatest.config"), "[server]\nhomehost hosta\n");
      const broken = stage.area("broken", "two words");
      stage.area("b1", "hostb");
      stage.area("homeless", "");
      await announce(stage, "hosta", { address: "10.0.0.1" });
      const both = (body: () => Promise<void>) =>
        withStandIn(stage, "hostb", unlessBusy, () => withStandIn(stage, "hostc", unlessBusy, body));
      await both(async () => {
        const finished = await run(stage, "drain", "10.0.0.1", "--json");
        const document = documentOf(finished);
        expect(document).toMatchObject({ host: "hosta", drained: true, dryRun: false, enqueued: [] });
        expect(document.moved).toMatchObject([
          { area: a1, to: "hostc" },
          { area: a2, to: "hostb" },
        ]);
        expect(document.stayed).toMatchObject([
          { area: broken, code: "bad-config" },
          { area: pinned, code: "pinned" },
          { area: a3, to: expect.any(String), code: "not-quiescent", message: "2 tests are running" },
        ]);
        expect(finished.code).toBe(1);
        expect(await drainedHosts(stage)).toEqual(["hosta"]);
      });
      const { stdout } = await run(stage, "status");
      expect(stdout).toMatch(/^hosta +alive, drained/m);
      expect(documentOf(await run(stage, "undrain", "10.0.0.1", "--json"))).toEqual({
        ...{ host: "hosta", drained: false, was: true },
      });
      expect(await drainedHosts(stage)).toEqual([]);
    }));

  it("notes nothing in a dry run, and ends with 3 where all that stays was refused", () =>
    onQueue(async (stage) => {
      stage.area("busy", "hosta");
      const free = stage.area("free", "hosta");
      await withStandIn(stage, "hostb", unlessBusy, async () => {
        const { code, stdout, stderr } = await run(stage, "drain", "hosta", "--dry-run");
        expect(code).toBe(3);
        expect(stdout).toMatch(/^could move 1 area:\n {2}.*\/free +to hostb +migrate-/m);
        expect(stdout).toMatch(/^would stay:\n {2}.*\/busy +to hostb +not-quiescent +2 tests are running$/m);
        expect(stderr).toContain(`${free}: could move to hostb`);
        expect(await drainedHosts(stage)).toEqual([]);
      });
    }));

  it("leaves the areas to the night with --when-quiet", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      await announce(stage, "hostb");
      const finished = await run(stage, "drain", "hosta", "--when-quiet", "--deadline", "8h", "--json");
      const { enqueued } = documentOf(finished);
      expect([finished.code, enqueued]).toMatchObject([0, [{ area, to: "hostb" }]]);
      const jobs = documentOf(await run(stage, "jobs", "--json")).jobs;
      expect(jobs).toMatchObject([{ host: "hostb", data: { whenQuiet: true, deadline: 28_800_000 } }]);
    }));

  it("is refused, and records nothing, if no host can take the areas or no root is set", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      const refusal = async (...args: string[]) => {
        const finished = await run(stage, "drain", "hosta", ...args, "--json");
        return [finished.code, errorCodeOf(finished)];
      };
      expect(await refusal()).toEqual([3, "unfit-host"]);
      await announce(stage, "hosta");
      expect(await refusal("--to", "hosta")).toEqual([2, "usage"]);
      expect(await refusal("--to", "hostb")).toEqual([3, "unfit-host"]);
      await announce(stage, "hostb", { areas: ["/elsewhere"] });
      expect(await refusal("--areas", " ")).toEqual([2, "bad-settings"]);
      expect(await drainedHosts(stage)).toEqual([]);
      // A host that may not touch the area is no reason to forget the others.
      writeFileSync(join(area, ".homehost"), "hosta");
      const { code, stdout } = await run(stage, "drain", "hosta");
      expect([code, stdout]).toEqual([3, expect.stringMatching(/a1 +- +unfit-host/)]);
    }));
});

import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { buildArea } from "../../producers/demo/sample-area/build-area.ts";
import { openArea } from "../../shared/area/area.ts";
import { readHistory } from "../../shared/area/history.ts";
import { decodeFailure } from "../../shared/contract/failure.ts";
import { listOutcomes } from "../../shared/queue/outcomes.ts";
import { builtThreadUrl } from "../../workers/job-thread/job-threads.ts";
import { scanPolicies } from "../../workers/periodic/policy-scan.ts";
import { isDue } from "../../workers/periodic/policy-scheduler.ts";
import { makeArea, settingsFor, temporaryDirectory, waitFor } from "../support/area.ts";
import { onQueue, type QueueStage } from "../support/queue.ts";

const hour = 3_600_000;
const now = Date.parse("2026-01-10T12:00:00Z");
const scanning = { MTJOBS_TEST_POLICY_SCAN_MS: "50" };

function policies(area: string, lines: string): void {
  appendFileSync(join(area, "megatest.config"), `[reduce-records]\n${lines}\n`);
}

const outcomeOf = (stage: QueueStage, name: string) =>
  waitFor(
    "the outcome",
    async () => (await listOutcomes(stage.redis, stage.prefix)).find((outcome) => outcome.name === name),
    { deadline: 30_000 },
  );

describe("a line of [reduce-records]", () => {
  const policy = { request: {}, everyMs: 24 * hour };
  const last = (hours: number, rest: object = {}) => ({
    startedAt: new Date(now - hours * hour).toISOString(),
    failures: 0,
    timeUp: null,
    ...rest,
  });

  it("is due at first, and again when the last job began long enough ago", () => {
    expect(isDue(policy, undefined, now)).toBe(true);
    expect([23, 24].map((hours) => isDue(policy, last(hours), now))).toEqual([false, true]);
  });

  it("is due an hour after a failure, and sooner where it says so", () => {
    expect(isDue(policy, last(0.9, { failures: 1 }), now)).toBe(false);
    expect(isDue(policy, last(1, { failures: 3 }), now)).toBe(true);
    expect(isDue({ ...policy, everyMs: hour / 2 }, last(0.5, { failures: 1 }), now)).toBe(true);
  });

  it("is due within its window alone, and there at once where the last job did not get done in it", () => {
    const during = (between: string) => ({ ...policy, request: { between, tz: "UTC" } });
    expect(isDue(during("22:00-06:00"), undefined, now)).toBe(false);
    expect(isDue(during("11:00-13:00"), undefined, now)).toBe(true);
    expect(isDue(during("11:00-13:00"), last(20, { timeUp: "between" }), now)).toBe(true);
    expect(isDue(during("11:00-13:00"), last(20, { timeUp: "max-time" }), now)).toBe(false);
  });
});

describe("a look over the areas", () => {
  it("finds what the configs of areas at home here ask for, and says what it could not read", async () => {
    const root = temporaryDirectory();
    const area = (name: string, lines: string, homehost = "hostA") =>
      makeArea(join(root, name), {
        "megatest.config": `[fields]\nsysname TEXT\n[reduce-records]\n${lines}\n`,
        ...(homehost === "" ? {} : { ".homehost": homehost }),
      });
    const mine = area("mine", "old age=30d\nbad age=x");
    area("away", "old age=30d", "hostB");
    area("homeless", "old age=30d", "");
    area("silent", "");
    makeArea(join(root, "broken"), { "megatest.config": "[include megatest.config]\n" });
    const scan = await scanPolicies(settingsFor({ areas: [root] }), {});
    expect(scan.areas).toEqual([
      {
        area: mine,
        policies: [{ job: "reduce", name: "old", everyMs: 24 * hour, request: { age: 30 * 24 * hour } }],
        problems: [expect.stringContaining("[reduce-records] bad")],
      },
    ]);
    expect(scan.warnings).toEqual([expect.stringContaining(join(root, "broken"))]);
  });
});

describe("a worker", () => {
  it("enqueues the reduces of its areas automatically, each once, and reports wrong lines, once", () =>
    onQueue(async (stage) => {
      const area = stage.area("a", "hostA");
      policies(area, "old runname=hold\nbad runname=hold; age=x");
      policies(stage.area("away", "hostB"), "old runname=hold");
      const worker = await stage.worker("hostA", scanning);
      const [{ jobId } = { jobId: "" }] = await stage.traced(area, "begin");
      const data = (await stage.queue("hostA").getJob(jobId))?.data as object;
      expect(data).toMatchObject({
        area,
        policy: "old",
        runname: "hold",
        requestedBy: "megatest.config@hostA",
      });
      stage.release(area);
      await stage.reach("hostA", jobId, "completed");
      expect(await outcomeOf(stage, "old")).toMatchObject({ kind: "policy", area, jobId, failures: 0 });
      const timesLogged = () => worker.stderr().split('age: \\"x\\" is not a duration').length - 1;
      // Another line is a sign that looks went on meanwhile.
      writeFileSync(
        join(area, "megatest.config"),
        `${readFileSync(join(area, "megatest.config"), "utf8")}other runname=refuse\n`,
      );
      const failed = await outcomeOf(stage, "other");
      expect(failed).toMatchObject({ failures: 1, error: { code: "pinned" }, succeededAt: null });
      expect(timesLogged()).toBe(1);
      expect(stage.trace(area).filter(({ event }) => event === "begin")).toHaveLength(2);
      const hosts = await stage.queue("hostB").getJobCounts();
      expect(Object.values(hosts).reduce((sum, count) => sum + count, 0)).toBe(0);
    }));

  it("moves what a line of the config says, and no more, without anything else being set up", () =>
    onQueue(async (stage) => {
      const [cacheRoot, user] = [join(stage.root, "cache"), userInfo().username];
      const sample = buildArea({
        ...{ directory: join(stage.root, "a1"), cacheRoot, user, host: "hostA" },
        ...{ runs: 4, testsPerRun: 2, inFlight: 0, unsynced: false },
      });
      policies(sample.directory, "old target=%/%/%; runname=%; max-time=20m");
      await stage.worker("hostA", {
        ...scanning,
        MTJOBS_CACHE_ROOT: cacheRoot,
        MTJOBS_USER: user,
        MTJOBS_TEST_THREAD: builtThreadUrl().href,
      });
      const { jobId } = await outcomeOf(stage, "old");
      const lines = readHistory(openArea(sample.directory), { limit: 5 });
      expect(lines).toEqual([
        expect.objectContaining({
          jobId,
          policy: "old",
          requestedBy: "megatest.config@hostA",
          state: "completed",
        }),
      ]);
      expect(lines[0]?.moved).toMatchObject({ runs: 4 });
    }));

  it("purges what [purge-records] asks for, under a name of its own beside a line of [reduce-records]", () =>
    onQueue(async (stage) => {
      const cacheRoot = join(stage.root, "tmp");
      const user = userInfo().username;
      const sample = buildArea({
        ...{ directory: join(stage.root, "a1"), cacheRoot, user, host: "hostA" },
        ...{ runs: 3, testsPerRun: 2, inFlight: 0, unsynced: false },
      });
      const directory = temporaryDirectory();
      policies(
        sample.directory,
        `old runname=%\n[purge-records]\nold runname=%; export=${directory}; every=1m`,
      );
      await stage.worker("hostA", {
        ...scanning,
        MTJOBS_CACHE_ROOT: cacheRoot,
        MTJOBS_USER: user,
        MTJOBS_EXPORTS: directory,
        MTJOBS_TEST_THREAD: builtThreadUrl().href,
      });
      await outcomeOf(stage, "old");
      expect(await outcomeOf(stage, "purge-records/old")).toMatchObject({ kind: "policy", failures: 0 });
      const lines = readHistory(openArea(sample.directory), { limit: 5 });
      expect(lines.map(({ policy }) => policy).sort()).toEqual(["old", "purge-records/old"]);
    }));

  it("does nothing for a line that says otherwise by the time its job is taken up", () =>
    onQueue(async (stage) => {
      const area = stage.area("a", "hostA");
      policies(area, "old runname=hold; age=60d");
      const data = { v: 1, area, runname: "hold", policy: "old" };
      const id = await stage.add("hostA", "reduce", { ...data, age: 1000 }, { jobId: "was-asked" });
      const gone = await stage.add("hostA", "reduce", { ...data, policy: "gone" }, { jobId: "gone" });
      await stage.worker("hostA");
      const job = await stage.reach("hostA", id, "failed");
      expect(decodeFailure(job.failedReason)).toMatchObject({
        code: "cancelled",
        message: "[reduce-records] old no longer asks for this job",
      });
      await stage.reach("hostA", gone, "failed");
      expect(stage.trace(area)).toEqual([]);
      expect(await outcomeOf(stage, "old")).toMatchObject({ failures: 0, error: { code: "cancelled" } });
    }));
});

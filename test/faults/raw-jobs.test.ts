// Mostly waits: run beside others.
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Job } from "bullmq";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { decodeFailure } from "../../shared/contract/failure.ts";
import { queueName } from "../../shared/queue/names.ts";
import { casesOf, fingerprint, isCampaign, waitFor } from "../support/area.ts";
import { onQueue, type QueueStage, realArea, realWorker } from "../support/queue.ts";

const seed = 6;
const many = isCampaign ? 400 : 60;

const sampleArea = (stage: QueueStage) =>
  realArea(stage, { runs: 6, testsPerRun: 3, inFlight: 0, unsynced: false });

/** Asks for a reduce once, and waits until it has ended, or is put off. */
async function reduce(stage: QueueStage, data: object, jobId: string): Promise<Job> {
  await stage.add("hostA", "reduce", { v: 1, ...data }, { jobId, attempts: 1 });
  const state = await waitFor(
    `${jobId} to end or to wait`,
    async () => {
      const now = await stage.state("hostA", jobId);
      return ["completed", "failed", "delayed"].includes(now) && now;
    },
    { deadline: 60_000 },
  );
  return await stage.reach("hostA", jobId, state);
}

/** A sound reduce is done, whatever came before it. */
async function assertServes(stage: QueueStage, area: SampleArea): Promise<void> {
  const { returnvalue } = await reduce(stage, { area: area.directory, runId: [1] }, "sound");
  expect(returnvalue).toMatchObject({ state: "completed", moved: { runs: 1 } });
}

/** What somebody's own client may put into a queue: nothing of it is a job. */
const spoiltJobs = (area: string) =>
  fc.record({
    name: fc.constantFrom(
      "reduce",
      "restore",
      "migrate",
      "step",
      "repair",
      "reconcile-areas",
      "",
      "__proto__",
      "Reduce",
    ),
    data: fc.oneof(
      fc.jsonValue(),
      fc.record(
        {
          v: fc.constantFrom<unknown>(1, 0, 2, "1", null),
          area: fc.constantFrom<unknown>(
            area,
            `${area}/../a1/.`,
            "",
            "/",
            "/etc",
            7,
            null,
            `${area}\0`,
            "x".repeat(5000),
          ),
          // Never of the right kind.
          runname: fc.constantFrom<unknown>(7, null, [], {}, ""),
          runId: fc.constantFrom<unknown>("1", [0], [-1], [1.5], ["x"], [], {}),
          age: fc.constantFrom<unknown>("30d", -1, 1e300, [], null),
          step: fc.constantFrom<unknown>("close", "tend", "", 7, null),
          to: fc.constantFrom<unknown>("", 7, null, []),
        },
        { requiredKeys: ["runname"] },
      ),
    ),
  });

describe("jobs that other tools put into a queue by hand", () => {
  it("end with a code and a reason if they are malformed, and change nothing", { timeout: 180_000 }, () =>
    onQueue(async (stage) => {
      const area = sampleArea(stage);
      const before = fingerprint(area.directory, area.cacheDirectory);
      const spoilt = fc.sample(spoiltJobs(area.directory), { seed, numRuns: many });
      for (const [index, { name, data }] of spoilt.entries())
        await stage.add("hostA", name, data, { jobId: `spoilt-${index}`, attempts: 1 });
      await realWorker(stage, area);
      const queue = stage.queue("hostA");
      await waitFor("every job to end", async () => (await queue.getFailedCount()) === many, {
        deadline: 120_000,
        state: () => queue.getJobCounts(),
      });
      const reasons = (await queue.getFailed(0, many)).map(({ failedReason }) => failedReason);
      const codes = reasons.map((reason) => decodeFailure(reason).code);
      const known = ["usage", "bad-payload", "not-an-area", "outside-roots", "unknown-job"];
      expect(codes.filter((code) => !known.includes(code))).toEqual([]);
      expect(fingerprint(area.directory, area.cacheDirectory)).toEqual(before);
      await assertServes(stage, area);
    }),
  );

  /** Whether the job is done all the same, or what it fails with: BullMQ speaks of its own counts, and not as we do. */
  const brokenHashes: [string, Record<string, string>, "done" | "bad-payload" | "internal"][] = [
    ["data that is no JSON", { data: "{no" }, "bad-payload"],
    ["options that are null", { opts: "null" }, "bad-payload"],
    ["data that is a number", { data: "7" }, "bad-payload"],
    ["options that are no JSON", { opts: "{no" }, "bad-payload"],
    ["options of the wrong kind", { opts: '{"attempts":"many","backoff":7,"delay":"x"}' }, "done"],
    ["no name", { name: "" }, "bad-payload"],
    ["a time that is none", { timestamp: "yesterday" }, "done"],
    ["a count of attempts that is none", { atm: "many" }, "internal"],
    ["progress that is no JSON", { progress: "{no" }, "bad-payload"],
    ["a stack that is no JSON", { stacktrace: "{no" }, "done"],
  ];

  it.each(casesOf(brokenHashes, 2))(
    "leave the worker at work where their hash in Redis has %s",
    { timeout: 120_000 },
    (_, broken, outcome) =>
      onQueue(async (stage) => {
        const area = sampleArea(stage);
        const data = { v: 1, area: area.directory, runId: [2], dryRun: true };
        await stage.add("hostA", "reduce", data, { jobId: "broken", attempts: 1 });
        await stage.redis.hset(`${stage.prefix}:${queueName("hostA")}:broken`, broken);
        await realWorker(stage, area);
        await assertServes(stage, area);
        const job = await stage.queue("hostA").getJob("broken");
        if (outcome === "done") expect(job?.returnvalue).toMatchObject({ dryRun: true, state: "completed" });
        else expect(decodeFailure(job?.failedReason ?? "").code).toBe(outcome);
      }),
  );

  it("leave the worker at work where their hash in Redis is gone", { timeout: 120_000 }, () =>
    onQueue(async (stage) => {
      const area = sampleArea(stage);
      await stage.add("hostA", "reduce", { v: 1, area: area.directory, runId: [2] }, { jobId: "gone" });
      await stage.redis.del(`${stage.prefix}:${queueName("hostA")}:gone`);
      await realWorker(stage, area);
      await assertServes(stage, area);
    }),
  );
});

describe("files of an area that somebody else wrote", () => {
  const spoil: [string, (area: SampleArea) => void][] = [
    [
      "a history that is no JSON",
      (area) => appendFileSync(ours(area, "history.jsonl"), "{no\n\0\n[]\n7\nnull\n"),
    ],
    [
      "a history that ends in the middle of a line",
      (area) => appendFileSync(ours(area, "history.jsonl"), '{"jobId":"x'),
    ],
    [
      "a history of bytes that are no text",
      (area) => appendFileSync(ours(area, "history.jsonl"), Buffer.from([0xff, 0xfe, 10, 0xc0])),
    ],
    ["an area's id that is none", (area) => writeFileSync(ours(area, "area-id"), "7")],
    ["an empty area's id", (area) => writeFileSync(ours(area, "area-id"), "")],
    ["an area's id of bytes", (area) => writeFileSync(ours(area, "area-id"), Buffer.alloc(4096, 0xff))],
  ];

  it.each(casesOf(spoil, 3))("keep no job from moving runs: %s", { timeout: 120_000 }, (_, spoilIt) =>
    onQueue(async (stage) => {
      const area = sampleArea(stage);
      await realWorker(stage, area);
      const move = (run: number) => reduce(stage, { area: area.directory, runId: [run] }, `move-${run}`);
      await move(1);
      spoilIt(area);
      expect((await move(2)).returnvalue).toMatchObject({ state: "completed", moved: { runs: 1 } });
      // And its own line can be read.
      const last = readFileSync(ours(area, "history.jsonl"), "utf8").trimEnd().split("\n").at(-1) ?? "";
      expect(JSON.parse(last)).toMatchObject({ jobId: "move-2" });
    }),
  );

  it.each(
    casesOf(
      [
        ["two hosts", "10.0.0.1 10.0.0.2\n"],
        ["bytes", Buffer.from([0, 255, 254, 10])],
        ["a path", "../../etc/passwd\n"],
        ["blanks", " \n\n"],
        ["a mebibyte", "x".repeat(2 ** 20)],
      ] as const,
      2,
    ),
  )("keep a job from moving anything: a .homehost that holds %s", { timeout: 120_000 }, (_, text) =>
    onQueue(async (stage) => {
      const area = sampleArea(stage);
      writeFileSync(join(area.directory, ".homehost"), text);
      const before = fingerprint(area.directory, area.cacheDirectory);
      await realWorker(stage, area);
      const { failedReason } = await reduce(stage, { area: area.directory, runname: "%" }, "homeless");
      expect(decodeFailure(failedReason)).toMatchObject({
        code: "bad-config",
        message: expect.stringContaining(".homehost"),
      });
      expect(fingerprint(area.directory, area.cacheDirectory)).toEqual(before);
    }),
  );

  it(
    "keep no job from moving runs: a .homehost that is empty, which counts as none",
    { timeout: 120_000 },
    () =>
      onQueue(async (stage) => {
        const area = sampleArea(stage);
        writeFileSync(join(area.directory, ".homehost"), "");
        await realWorker(stage, area);
        const { returnvalue } = await reduce(stage, { area: area.directory, runId: [1] }, "homeless");
        expect(returnvalue).toMatchObject({
          moved: { runs: 1 },
          warnings: [expect.stringContaining("homehost")],
        });
      }),
  );
});

/** A file of mtjobs in the area. */
function ours(area: SampleArea, name: string): string {
  const directory = join(area.directory, ".mtjobs");
  mkdirSync(directory, { recursive: true });
  return join(directory, name);
}

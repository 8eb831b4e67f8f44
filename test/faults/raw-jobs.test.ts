import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeFailure } from "../../shared/queue/failure.ts";
import { queueName } from "../../shared/queue/names.ts";
import { buildArea, type SampleArea } from "../../shared/sample-area/build-area.ts";
import { builtThreadUrl } from "../../workers/job-threads.ts";
import { casesOf, isCampaign } from "../support/campaign.ts";
import { fingerprint } from "../support/fingerprint.ts";
import { onStage, type QueueStage } from "../support/queue-stage.ts";
import { waitFor } from "../support/wait-for.ts";

const user = userInfo().username;
const seed = 6;
const many = isCampaign ? 400 : 60;

function sampleArea(stage: QueueStage): SampleArea {
  const cacheRoot = join(stage.root, "cache");
  const place = { directory: join(stage.root, "a1"), cacheRoot, user, host: "hostA" };
  return buildArea({ ...place, runs: 6, testsPerRun: 3, inFlight: 0, unsynced: false });
}

async function startWorker(stage: QueueStage, area: SampleArea): Promise<void> {
  await stage.worker("hostA", {
    MTJOBS_CACHE_ROOT: area.cacheRoot,
    MTJOBS_USER: user,
    MTJOBS_TEST_THREAD: builtThreadUrl().href,
  });
}

/** A sound reduce is done, whatever came before it. */
async function assertServes(stage: QueueStage, area: SampleArea): Promise<void> {
  const id = await stage.add(
    "hostA",
    "reduce",
    { v: 1, area: area.directory, runId: [1] },
    { jobId: "sound" },
  );
  const job = await stage.reach("hostA", id, "completed", 60_000);
  expect(job.returnvalue).toMatchObject({ state: "completed", moved: { runs: 1 } });
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
      "round",
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
  it("end with a code and a reason where they are malformed, and change nothing", { timeout: 180_000 }, () =>
    onStage(async (stage) => {
      const area = sampleArea(stage);
      const before = fingerprint(area.directory, area.cacheDirectory);
      const spoilt = fc.sample(spoiltJobs(area.directory), { seed, numRuns: many });
      for (const [index, { name, data }] of spoilt.entries())
        await stage.add("hostA", name, data, { jobId: `spoilt-${index}`, attempts: 1 });
      await startWorker(stage, area);
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

  const brokenHashes: [string, Record<string, string>][] = [
    ["data that is no JSON", { data: "{no" }],
    ["data that is a number", { data: "7" }],
    ["options that are no JSON", { opts: "{no" }],
    ["options that are null", { opts: "null" }],
    ["options of the wrong kind", { opts: '{"attempts":"many","backoff":7,"delay":"x"}' }],
    ["no name", { name: "" }],
    ["a time that is none", { timestamp: "yesterday" }],
    ["a count of attempts that is none", { atm: "many" }],
    ["progress that is no JSON", { progress: "{no" }],
    ["a stack that is no JSON", { stacktrace: "{no" }],
  ];

  it.each(casesOf(brokenHashes, 3))(
    "leave the worker at work where their hash in Redis has %s",
    { timeout: 120_000 },
    (_, broken) =>
      onStage(async (stage) => {
        const area = sampleArea(stage);
        const data = { v: 1, area: area.directory, runId: [2], dryRun: true };
        await stage.add("hostA", "reduce", data, { jobId: "broken", attempts: 1 });
        await stage.redis.hset(`${stage.prefix}:${queueName("hostA")}:broken`, broken);
        await startWorker(stage, area);
        await assertServes(stage, area);
        const job = await stage.queue("hostA").getJob("broken");
        // It has run as it was meant to, or failed and says why; of its counts BullMQ speaks, and not as we do.
        const code = () => decodeFailure(job?.failedReason ?? "").code;
        if (job?.returnvalue == null) expect(code()).toMatch(/^(bad-payload|internal)$/);
        else expect(job.returnvalue).toMatchObject({ dryRun: true, state: "completed" });
      }),
  );

  it("leave the worker at work where their hash in Redis is gone", { timeout: 120_000 }, () =>
    onStage(async (stage) => {
      const area = sampleArea(stage);
      await stage.add("hostA", "reduce", { v: 1, area: area.directory, runId: [2] }, { jobId: "gone" });
      await stage.redis.del(`${stage.prefix}:${queueName("hostA")}:gone`);
      await startWorker(stage, area);
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

  it.each(casesOf(spoil, 3))(
    "do not keep a job from moving runs, or say what is wrong: %s",
    { timeout: 120_000 },
    (_, spoilIt) =>
      onStage(async (stage) => {
        const area = sampleArea(stage);
        await startWorker(stage, area);
        const move = async (run: number) => {
          const id = await stage.add(
            "hostA",
            "reduce",
            { v: 1, area: area.directory, runId: [run] },
            { jobId: `move-${run}`, attempts: 1 },
          );
          await waitFor(
            "the job to end",
            async () => ["completed", "failed"].includes(await stage.state("hostA", id)),
            { deadline: 60_000 },
          );
          return await stage.reach("hostA", id, await stage.state("hostA", id));
        };
        await move(1);
        spoilIt(area);
        const { returnvalue, failedReason } = await move(2);
        if (failedReason === undefined)
          expect(returnvalue).toMatchObject({ state: "completed", moved: { runs: 1 } });
        else
          expect(decodeFailure(failedReason)).toMatchObject({
            code: expect.stringMatching(/^(corrupt|bad-config|io)$/),
            hint: expect.any(String),
          });
      }),
  );

  const homes: [string, string | Buffer][] = [
    ["two hosts", "10.0.0.1 10.0.0.2\n"],
    ["bytes", Buffer.from([0, 255, 254, 10])],
    ["nothing", ""],
    ["blanks", " \n\n"],
    ["a path", "../../etc/passwd\n"],
    ["a mebibyte", "x".repeat(2 ** 20)],
  ];

  it.each(casesOf(homes, 2))(
    "a .homehost that holds %s moves nothing, and the job says why or waits for a host",
    { timeout: 120_000 },
    (_, text) =>
      onStage(async (stage) => {
        const area = sampleArea(stage);
        writeFileSync(join(area.directory, ".homehost"), text);
        const before = [area.megatestDb, area.cacheDb, area.refDb].map((file) => readFileSync(file));
        await startWorker(stage, area);
        const id = await stage.add(
          "hostA",
          "reduce",
          { v: 1, area: area.directory, runname: "%" },
          { jobId: "homeless", attempts: 1 },
        );
        const state = await waitFor(
          "the job to end or to wait",
          async () => {
            const now = await stage.state("hostA", id);
            return ["completed", "failed", "delayed"].includes(now) && now;
          },
          { deadline: 60_000 },
        );
        expect(state === "completed" && text !== "" && String(text).trim() !== "").toBe(false);
        if (state !== "completed")
          expect([area.megatestDb, area.cacheDb, area.refDb].map((file) => readFileSync(file))).toEqual(
            before,
          );
      }),
  );
});

/** A file of ours in the area. */
function ours(area: SampleArea, name: string): string {
  const directory = join(area.directory, ".mtjobs");
  mkdirSync(directory, { recursive: true });
  return join(directory, name);
}

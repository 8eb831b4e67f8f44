import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { documentOf, onQueue, type QueueStage, runProgram } from "../support/queue.ts";

interface Many {
  jobs: { area: string; host: string; jobId: string; duplicate: boolean }[];
  refused: { area: string; error: { code: string } }[];
}

const reduce = (stage: QueueStage, ...args: string[]) =>
  runProgram(stage, ["reduce", ...args], { areas: stage.root });

const many = async (stage: QueueStage, ...args: string[]) =>
  documentOf(await reduce(stage, ...args, "--json")) as unknown as Many;

it("enqueues a job for each area below the roots, on its homehost, and none twice", () =>
  onQueue(async (stage) => {
    const areas = [stage.area("a1", "hosta"), stage.area("a2", "hostb")];
    await stage.worker("hostb");
    const { jobs, refused } = await many(stage, "--all", "--age", "30d");
    expect(refused).toEqual([]);
    expect(jobs).toMatchObject([
      { area: areas[0], host: "hosta", duplicate: false },
      { area: areas[1], host: "hostb", duplicate: false },
    ]);
    const [first] = jobs;
    expect(await stage.queue("hosta").getJob(String(first?.jobId))).toMatchObject({
      name: "reduce",
      data: { area: areas[0], age: 30 * 24 * 3_600_000 },
    });
    const again = await reduce(stage, "--all", "--age", "30d");
    expect([again.code, again.stdout]).toEqual([
      0,
      expect.stringMatching(/a1 +hosta +\S+ +already in the queue/),
    ]);
  }));

it("takes a pattern below the roots, but a directory of that name is one area", () =>
  onQueue(async (stage) => {
    stage.area("a1", "hosta");
    const b1 = stage.area("b1", "hosta");
    const odd = stage.area("b[2]", "hosta");
    expect((await many(stage, "b1*", "--keep", "3")).jobs.map(({ area }) => area)).toEqual([b1]);
    const one = documentOf(await reduce(stage, odd, "--keep", "3", "--json"));
    expect(one).toMatchObject({ area: odd, job: "reduce" });
  }));

it("refuses an area that it cannot use, adds the others, and exits 1", () =>
  onQueue(async (stage) => {
    const a1 = stage.area("a1", "hosta");
    const broken = join(stage.root, "broken");
    mkdirSync(broken);
    writeFileSync(join(broken, "megatest.config"), "[include missing.config]\n");
    mkdirSync(join(broken, "megatest.db"));
    const { code, stdout } = await reduce(stage, "--all", "--age", "30d", "--json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      jobs: [{ area: a1 }],
      refused: [{ area: broken, error: { code: "not-an-area" } }],
    });
  }));

it.each([
  [["--all", "--age", "30d", "--inline"], "--inline is for one area"],
  [["--all", "--age", "30d", "--wait"], "--wait is for one area"],
  [["b*", "--run-id", "7"], "--run-id is for one area"],
  [["--all", "/areas/a1", "--age", "30d"], "--all means every area"],
  [["--all"], "no selector given"],
  [["/areas/a1", "/areas/a2", "--age", "30d"], "quote a pattern: 'chips/*'"],
  [["c*", "--age", "30d"], "matches c*"],
])("refuses %j and adds nothing", (args, named) =>
  onQueue(async (stage) => {
    stage.area("b1", "hosta");
    const { code, stderr } = await reduce(stage, ...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(named)]);
    expect(await stage.queue("hosta").count()).toBe(0);
  }),
);

import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  addTestIn,
  changeInCacheOnly,
  completedColumn,
  edit,
  filesOf,
  lockRun,
  newArea,
  readColumn,
  unionOfRuns,
} from "../../support/area.ts";
import { movedIds, reduceSafely, runReduce, runReduceProcess } from "../../support/queue.ts";

const tables = [
  "runs",
  "tests",
  "test_steps",
  "test_data",
  "run_stats",
  "extradat",
  "test_rundat",
  "archives",
];

/** Of megatest.db, without its free pages. */
function usedBytes({ megatestDb }: SampleArea): number {
  const read = (name: string) => Number(readColumn(megatestDb, `SELECT * FROM pragma_${name}`)[0]);
  return (read("page_count") - read("freelist_count")) * read("page_size");
}

function history(area: SampleArea): Record<string, unknown>[] {
  const text = readFileSync(join(area.directory, ".mtjobs", "history.jsonl"), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe("the result of a reduce", () => {
  it("has every member of the contract", async () => {
    const area = newArea({ runs: 6 });
    lockRun(area, 2);
    const { result } = await reduceSafely(area, {}, { jobId: "job-of-this-test" });
    expect(result).toEqual({
      jobId: "job-of-this-test",
      job: "reduce",
      area: area.directory,
      areaId: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
      host: area.host,
      state: "completed",
      dryRun: false,
      moved: Object.fromEntries(tables.map((table) => [table, expect.any(Number)])),
      runs: expect.any(Array),
      skipped: expect.any(Array),
      skippedCounts: { locked: 1, "in-flight": 2 },
      superseded: expect.any(Number),
      unsynced: expect.any(Number),
      late: 0,
      bytes: Object.fromEntries(
        ["megatest.db", "completed-runs.db", "cache/megatest.db", "cache/megatest_ref.db"].map((name) => [
          name,
          { before: expect.any(Number), after: expect.any(Number) },
        ]),
      ),
      warnings: [],
      elapsedMs: expect.any(Number),
    });
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
  });

  it("counts by table exactly what completed-runs.db gained", async () => {
    const area = newArea({ runs: 8 });
    await reduceSafely(area, { runname: undefined, runId: [1, 2] });
    const count = () =>
      tables.map((table) => Number(completedColumn(area, `SELECT count(*) FROM ${table}`)[0]));
    const before = count();
    const { result } = await reduceSafely(area);
    const after = count();
    expect(tables.map((table) => result.moved[table as keyof typeof result.moved])).toEqual(
      after.map((rows, index) => rows - (before[index] ?? 0)),
    );
    expect(result.moved.test_steps).toBeGreaterThan(100);
  });

  it("names each run that moved as it is called, with its target", async () => {
    const area = newArea({ runs: 5, inFlight: 0 });
    const { result } = await reduceSafely(area);
    const names = completedColumn(
      area,
      "SELECT id || ' ' || sysname || '/' || fsname || '/' || datapath || ' ' || runname FROM runs ORDER BY id",
    );
    expect(result.runs.map(({ id, target, runname }) => `${id} ${target} ${runname}`).sort()).toEqual(
      [...names].sort(),
    );
  });

  it("counts every version kept, those of rows not synced yet for themselves", async () => {
    const area = newArea({ runs: 5, inFlight: 0, unsynced: false });
    changeInCacheOnly(area, 1);
    changeInCacheOnly(area, 4);
    addTestIn(area, ["cache"], 2, "new");
    const { result } = await reduceSafely(area);
    expect(result).toMatchObject({ superseded: 0, unsynced: 2 });
    expect(completedColumn(area, "SELECT count(*) FROM mtjobs_superseded")).toEqual([2]);
  });

  it("tells the bytes of each file before and after", async () => {
    const area = newArea({ runs: 6 });
    const before = statSync(area.cacheDb).size;
    const { result } = await reduceSafely(area, { compact: "always" });
    expect(result.bytes["cache/megatest.db"]).toEqual({ before, after: statSync(area.cacheDb).size });
    expect(result.bytes["completed-runs.db"]).toEqual({
      before: 0,
      after: statSync(filesOf(area).completedDb).size,
    });
  });

  it("lists at most a thousand runs moved, and says that it does; the counts are whole", async () => {
    const area = newArea({ runs: 1_004, inFlight: 0, testsPerRun: 1, stepsPerTest: 1, dataPerTest: 0 });
    const { result } = await reduceSafely(area);
    expect(result.moved.runs).toBe(1_004);
    expect(result.runs).toHaveLength(1_000);
    expect(result.truncated).toBe(true);
    expect(readColumn(area.megatestDb, "SELECT count(*) FROM runs WHERE state <> 'deleted'")).toEqual([0]);
  }, 120_000);

  it("lists at most a thousand runs that stay, and counts them all by reason", async () => {
    const area = newArea({ runs: 1_004, inFlight: 2, testsPerRun: 1, stepsPerTest: 0, dataPerTest: 0 });
    const { result } = await runReduce(area, { age: 10 * 365 * 86_400_000, dryRun: true });
    expect(result).toMatchObject({ moved: { runs: 0 }, truncated: true });
    expect(result.skipped).toHaveLength(1_000);
    expect(Object.values(result.skippedCounts).reduce((sum, count) => sum + count, 0)).toBe(1_004);
  });

  it("of a dry run tells about how many bytes the runs take: by their share of the tests", async () => {
    const area = newArea({ runs: 12, inFlight: 0, unsynced: false });
    const share = async (options: object) =>
      (await runReduce(area, { dryRun: true, runname: undefined, ...options })).result.estimatedBytes;
    const all = await share({ runname: "%" });
    expect(all).toBe(usedBytes(area));
    expect(await share({ runId: [1, 2, 3] })).toBe((all ?? 0) / 4);
    expect(await share({ runname: "no such run" })).toBe(0);
    const { result } = await reduceSafely(area, { runname: undefined, runId: [1, 2, 3, 4, 5, 6] });
    expect(result.estimatedBytes).toBeUndefined();
    const back = await share({ runId: [7, 8, 9] });
    expect(back).toBeGreaterThan(0);
    expect(back).toBeLessThan(all ?? 0);
  });

  it("of a dry run tells the same share if no index has the tests by run", async () => {
    const area = newArea({ runs: 12, inFlight: 0, unsynced: false, withCache: false });
    edit({ ...area, cacheDb: area.megatestDb }, ["area"], (db) => {
      const sql = String(db.prepare("SELECT sql FROM sqlite_schema WHERE name = 'tests'").pluck().get());
      const plain = sql
        .replace("tests", "plain")
        .replace(/,\s*CONSTRAINT testsconstraint UNIQUE \([^)]*\)/, "");
      expect(plain).not.toMatch(/UNIQUE/);
      db.exec(
        `${plain}; INSERT INTO plain SELECT * FROM tests; DROP TABLE tests; ALTER TABLE plain RENAME TO tests`,
      );
    });
    const share = async (runId: number[]) =>
      (await runReduce(area, { dryRun: true, runname: undefined, runId })).result.estimatedBytes ?? 0;
    expect(4 * (await share([1, 2, 3]))).toBe(usedBytes(area));
  });

  it("is what --inline --json prints, with exit code 0 although runs were skipped", async () => {
    const area = newArea({ runs: 6 });
    const { code, stdout } = await runReduceProcess(area, ["--runname", "%"]);
    expect(code).toBe(0);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({
      job: "reduce",
      state: "completed",
      moved: { runs: 4 },
      skippedCounts: { "in-flight": 2 },
    });
    expect(movedIds(result)).toEqual([1, 2, 3, 4]);
  });

  it("of a second job of the same kind has nothing left to move", async () => {
    const area = newArea({ runs: 6 });
    await reduceSafely(area);
    const { result } = await reduceSafely(area);
    expect(result).toMatchObject({
      moved: { runs: 0, tests: 0 },
      runs: [],
      superseded: 0,
      late: 0,
      warnings: [],
    });
  });
});

describe("the history", () => {
  it("has one line for each finished job: when, who, what and the result without its lists", async () => {
    const area = newArea({ runs: 6 });
    const { result } = await reduceSafely(
      area,
      { runname: undefined, runId: [1], requestedBy: "ann@host-a" },
      { jobId: "first" },
    );
    await reduceSafely(area, {}, { jobId: "second" });
    const lines = history(area);
    expect(lines.map(({ jobId }) => jobId)).toEqual(["first", "second"]);
    const { runs: _runs, skipped: _skipped, ...counts } = result;
    expect(lines[0]).toMatchObject({ ...counts, requestedBy: "ann@host-a" });
    expect(Date.parse(String(lines[0]?.at))).toBeGreaterThan(Date.now() - 60_000);
  });

  it("has one line for a job that failed, with the error, and the area keeps all that it had", async () => {
    const area = newArea({ runs: 6 });
    const before = unionOfRuns(filesOf(area));
    const failpoint = (name: string) => {
      if (name === "verified") throw Object.assign(new Error("the disk is gone"), { code: "EIO" });
    };
    await expect(runReduce(area, {}, { jobId: "broken", failpoint })).rejects.toThrow("the disk is gone");
    expect(history(area)).toEqual([
      expect.objectContaining({
        jobId: "broken",
        state: "failed",
        error: expect.objectContaining({ code: "io" }),
      }),
    ]);
    expect(before.records.size).toBe(unionOfRuns(filesOf(area)).records.size);
    expect((await reduceSafely(area)).result.moved.runs).toBe(4);
  });

  it("has no line twice for a job that was done again under its id", async () => {
    const area = newArea({ runs: 6 });
    await reduceSafely(area, {}, { jobId: "same" });
    await reduceSafely(area, {}, { jobId: "same" });
    expect(history(area)).toHaveLength(1);
  });
});

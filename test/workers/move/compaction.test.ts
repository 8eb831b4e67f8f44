import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { edit, everywhere, filesOf, newArea, readColumn } from "../../support/area.ts";
import { reduceSafely, runReduce, runRestore } from "../../support/queue.ts";

const onlyOld = { runname: undefined, runId: [1, 2, 3] };
const files = ["megatest.db", "cache/megatest.db", "cache/megatest_ref.db"];

/** Three finished runs, each with 3 MiB in its tests, and one more. */
function fatArea(options: { inFlight?: number; cacheWal?: boolean } = {}): SampleArea {
  const area = newArea({ runs: 4, inFlight: 0, unsynced: false, testsPerRun: 12, ...options });
  edit(area, everywhere, (db) => db.exec("UPDATE tests SET logdat = hex(zeroblob(150000)) WHERE run_id < 4"));
  return area;
}

const freePages = (file: string) => readColumn(file, "PRAGMA freelist_count")[0];

describe("compaction", () => {
  it("gives the free pages of cache, ref and megatest.db back if they are many and the area is quiet", async () => {
    const area = fatArea();
    const { result } = await reduceSafely(area, { ...onlyOld, compact: "auto" });
    expect(result.warnings).toEqual([]);
    for (const file of files) {
      const bytes = result.bytes[file];
      expect(bytes?.before).toBeGreaterThan(10 * 2 ** 20);
      expect(bytes?.after).toBeLessThan(1 * 2 ** 20);
    }
    expect(result.bytes["completed-runs.db"]?.after).toBeGreaterThan(10 * 2 ** 20);
    expect(result.bytes["megatest.db"]?.after).toBe(statSync(area.megatestDb).size);
    expect([area.cacheDb, area.refDb, area.megatestDb].map(freePages)).toEqual([0, 0, 0]);
  });

  it("gives completed-runs.db's back after a restore, by the same rule", async () => {
    const area = fatArea();
    await reduceSafely(area, { ...onlyOld });
    const { result } = await runRestore(area, { ...onlyOld, compact: "auto" });
    expect(result.moved.runs).toBe(3);
    expect(result.warnings).toEqual([]);
    expect(result.bytes["completed-runs.db"]?.before).toBeGreaterThan(10 * 2 ** 20);
    expect(result.bytes["completed-runs.db"]?.after).toBeLessThan(1 * 2 ** 20);
    expect(freePages(filesOf(area).completedDb)).toBe(0);
  });

  it("does the same for a cache in WAL mode", async () => {
    const { result } = await reduceSafely(fatArea({ cacheWal: true }), { ...onlyOld, compact: "auto" });
    for (const file of files) expect(result.bytes[file]?.after).toBeLessThan(1 * 2 ** 20);
  });

  it("is left out where less than 8 MiB is free, which one sentence says while the job moved something", async () => {
    const area = fatArea();
    const { result } = await reduceSafely(area, { runname: undefined, runId: [1], compact: "auto" });
    expect(freePages(area.megatestDb)).toBeGreaterThan(700);
    expect(result.warnings).toEqual([
      expect.stringMatching(
        /^free space stays in the cache, the cache's ref, and megatest.db: at most 8 MiB/,
      ),
    ]);
    const next = await reduceSafely(area, { runname: undefined, keep: 1000, compact: "auto" });
    expect(next.result.warnings).toEqual([]);
  });

  it("is left out where less than a quarter is free", async () => {
    const area = fatArea();
    edit(area, everywhere, (db) =>
      db.exec("UPDATE tests SET logdat = hex(zeroblob(1500000)) WHERE run_id = 4"),
    );
    const { result } = await reduceSafely(area, { ...onlyOld, compact: "auto" });
    expect(freePages(area.megatestDb)).toBeGreaterThan(2000);
    expect(result.warnings).toEqual([expect.stringContaining("less than a quarter of the file")]);
  });

  it("is done with little to gain too where the caller says always, and never where he says never", async () => {
    const area = fatArea();
    await reduceSafely(area, { runname: undefined, runId: [1], compact: "never" });
    expect(freePages(area.cacheDb)).toBeGreaterThan(700);
    await reduceSafely(area, { runname: undefined, keep: 1000, compact: "always" });
    expect([area.cacheDb, area.refDb, area.megatestDb].map(freePages)).toEqual([0, 0, 0]);
    await reduceSafely(area, { ...onlyOld, compact: "never" });
    expect(freePages(area.cacheDb)).toBeGreaterThan(1000);
  });

  it("is left for the next job, and said, while a test is in flight", async () => {
    const area = fatArea({ inFlight: 1 });
    const { result } = await reduceSafely(area, { ...onlyOld, compact: "auto" });
    expect(result.warnings).toHaveLength(3);
    expect(result.warnings[0]).toMatch(
      /^the cache was not vacuumed and keeps its free space: tests are in flight; .* --compact always/,
    );
    expect(freePages(area.megatestDb)).toBeGreaterThan(2000);
    edit(area, everywhere, (db) => db.exec("UPDATE tests SET state = 'COMPLETED'"));
    const next = await reduceSafely(area, { runname: undefined, keep: 1000, compact: "auto" });
    expect(next.result.warnings).toEqual([]);
    expect(freePages(area.megatestDb)).toBe(0);
  });

  it("is left for the next job, and said, while a server lives", async () => {
    const area = fatArea();
    writeFileSync(
      join(area.directory, "logs", `server-${process.pid}-${area.host}.log`),
      "SERVER STARTED: host-a:8080 AT 5\n",
    );
    const { result } = await reduceSafely(area, { ...onlyOld, compact: "auto" });
    expect(result.warnings.join()).toMatch(/server is alive/);
    expect(freePages(area.cacheDb)).toBeGreaterThan(2000);
  }, 90_000);

  it.each([
    ["EIO", "the disk is gone; check the file system and its permissions; the next job will try again"],
    ["ENOSPC", "no space left: the disk is gone; free some space, and the next job will do it"],
  ])("fails no job that has moved its runs: %s is a warning", async (code, why) => {
    const area = fatArea();
    let left = 1;
    const failpoint = (name: string) => {
      if (name === "compacted" && left-- > 0) throw Object.assign(new Error("the disk is gone"), { code });
    };
    const { result } = await reduceSafely(area, { ...onlyOld, compact: "auto" }, { failpoint });
    expect(result).toMatchObject({ state: "completed", moved: { runs: 3 } });
    expect(result.warnings).toEqual([`the cache was not vacuumed and keeps its free space: ${why}`]);
    expect(freePages(area.megatestDb)).toBe(0);
  });

  it("is left for the next job, and said, where somebody is using the database", async () => {
    const area = fatArea();
    await reduceSafely(area, { ...onlyOld, compact: "never" });
    const reader = new Database(area.refDb);
    const rows = reader.prepare("SELECT id FROM test_steps").iterate();
    const failpoint = (name: string) => void (name === "looked-again" && rows.next());
    const { result } = await runReduce(
      area,
      { runname: undefined, keep: 1000, compact: "auto" },
      { failpoint },
    );
    rows.return?.();
    reader.close();
    expect(result.warnings).toHaveLength(1);
    expect(result.warnings[0]).toMatch(
      /ref was not vacuumed and keeps its free space: another program is using it; the next job/,
    );
    expect(freePages(area.refDb)).toBeGreaterThan(2000);
    expect(freePages(area.cacheDb)).toBe(0);
  });
});

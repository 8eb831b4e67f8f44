import {
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { addSecondCache, isRoot, newArea, nobody, plantJournal } from "../../support/area.ts";
import { reduceSafely, runReduce } from "../../support/queue.ts";

/** An area, and an old cache of it of a user who has no right on it but what `mode` gives everybody on megatest.db. */
function scene(mode: number) {
  const area = newArea({ runs: 6, testsPerRun: 2 });
  const second = addSecondCache(area, "nobody");
  chmodSync(area.megatestDb, mode);
  const own = () => {
    for (let at = second.cacheDirectory; at !== area.cacheRoot; at = dirname(at))
      chownSync(at, nobody, nobody);
    const then = Date.now() / 1000 - 2 * 86_400;
    for (const name of readdirSync(second.cacheDirectory)) {
      const file = join(second.cacheDirectory, name);
      chownSync(file, nobody, nobody);
      utimesSync(file, then, then);
    }
  };
  return { area, second, own };
}

/** Runs that the second cache alone has. */
function addUnseen(cacheDb: string): void {
  const db = new Database(cacheDb);
  db.exec("INSERT INTO test_steps (test_id, stepname, state) VALUES (1, 'unseen', 'end')");
  db.close();
}

const contentOf = ({ megatestDb }: SampleArea) => readFileSync(megatestDb).toString("latin1");

describe.runIf(isRoot)("a journal that another user planted beside a cache of that user", () => {
  it.each([0o644, 0o666])("costs no file of the area, with megatest.db of mode %o", async (mode) => {
    const { area, second, own } = scene(mode);
    plantJournal(second.cacheDb, area.megatestDb);
    own();
    const before = contentOf(area);
    const { result } = await runReduce(area, { dryRun: true });
    expect(contentOf(area)).toBe(before);
    expect(existsSync(`${second.cacheDb}-journal`)).toBe(true);
    // Of one who may write to megatest.db it is said that it was not read.
    expect(result.warnings.join().includes(second.cacheDb)).toBe(mode === 0o666);
    expect((await reduceSafely(area)).result.moved.runs).toBe(4);
  });

  it("is played back in a copy where it is a dead writer's, and the original is left as it is", async () => {
    const { area, second, own } = scene(0o666);
    const db = new Database(second.cacheDb);
    db.pragma("cache_size = 1");
    db.exec("BEGIN; UPDATE test_steps SET comment = 'torn' || id");
    const torn = ["", "-journal"].map((suffix) => [suffix, readFileSync(second.cacheDb + suffix)] as const);
    db.close();
    for (const [suffix, bytes] of torn) writeFileSync(second.cacheDb + suffix, bytes);
    own();
    await expect(runReduce(area)).rejects.toMatchObject({ code: "several-caches" });
    for (const [suffix, bytes] of torn)
      expect(readFileSync(second.cacheDb + suffix).equals(bytes)).toBe(true);
  });
});

describe.runIf(isRoot)("a cache of a user who may not write to megatest.db", () => {
  it("does not count, whatever is in it and however lately it changed, for it can never sync", async () => {
    const { area, second, own } = scene(0o644);
    addUnseen(second.cacheDb);
    own();
    utimesSync(second.cacheDb, Date.now() / 1000, Date.now() / 1000);
    expect((await reduceSafely(area)).result.moved.runs).toBe(4);
    expect(statSync(second.cacheDb).uid).toBe(nobody);
  });

  it("counts once that user may write to it", async () => {
    const { area, second, own } = scene(0o666);
    addUnseen(second.cacheDb);
    own();
    await expect(runReduce(area)).rejects.toMatchObject({
      code: "several-caches",
      message: expect.stringContaining(second.cacheDirectory),
    });
  });
});

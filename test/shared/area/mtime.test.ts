import { mkdirSync, readdirSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openArea } from "../../../shared/area/area.ts";
import { clockSkewMs, newestMtimeMs, refillDue, touch } from "../../../shared/area/cache/mtime.ts";
import { makeArea, temporaryDirectory, writeFile } from "../../support/area.ts";

function fileAt(path: string, seconds: number, content = "x"): string {
  utimesSync(writeFile(path, content), seconds, seconds);
  return path;
}

describe("modification times", () => {
  it("are the newest of the files with a prefix, others aside", () => {
    const root = temporaryDirectory();
    fileAt(join(root, "megatest.db"), 1000);
    fileAt(join(root, "megatest.db-wal"), 1500.25);
    fileAt(join(root, "megatest_ref.db"), 9000);
    expect(newestMtimeMs(root, "megatest.db")).toBe(1_500_250);
    expect(newestMtimeMs(root, "none")).toBeUndefined();
  });

  it("are no newer for an empty write-ahead log and its index", () => {
    const root = temporaryDirectory();
    fileAt(join(root, "megatest.db"), 1000);
    fileAt(join(root, "megatest.db-wal"), 1500, "");
    fileAt(join(root, "megatest.db-shm"), 1500);
    expect(newestMtimeMs(root, "megatest.db")).toBe(1_000_000);
  });

  it("are set by touch, to the millisecond", () => {
    const file = fileAt(join(temporaryDirectory(), "x"), 1000);
    touch(file, 1_600_000_000_123);
    expect(statSync(file).mtimeMs).toBeCloseTo(1_600_000_000_123, 0);
  });

  it.each([
    ["megatest.db", 1010, false],
    ["megatest.db", 1010.5, true],
    ["megatest.db-journal", 1011, true],
    ["megatest.db", 900, false],
  ])("with %s at %d s and the cache at 1000 s a refill is due: %s", (name, seconds, due) => {
    const root = temporaryDirectory();
    const path = makeArea(join(root, "area"));
    fileAt(join(path, "megatest.db"), 500);
    fileAt(join(path, name), seconds);
    fileAt(join(root, "cache/megatest.db"), 300);
    fileAt(join(root, "cache/megatest.db-wal"), 1000);
    fileAt(join(root, "cache/megatest_ref.db"), 5000);
    expect(refillDue(openArea(path), { directory: join(root, "cache") })).toBe(due);
  });

  it.each([
    ["area", "megatest.db-shm", true],
    ["area", "megatest.db-wal", true],
    ["area", "megatest.db.lock", true],
    ["cache", "megatest.db-shm", false],
    ["cache", "megatest.db-wal", false],
    ["cache", "megatest.db.lock", false],
  ])(
    "count every file beside a database for a refill, also an empty one: in the %s %s",
    (place, name, due) => {
      const root = temporaryDirectory();
      const path = makeArea(join(root, "area"));
      fileAt(join(path, "megatest.db"), due ? 1000 : 1011);
      fileAt(join(root, "cache/megatest.db"), 1000);
      fileAt(join(place === "area" ? path : join(root, "cache"), name), 1011, "");
      expect(refillDue(openArea(path), { directory: join(root, "cache") })).toBe(due);
    },
  );

  it("make no refill due without a cache", () => {
    expect(refillDue(openArea(makeArea(temporaryDirectory())), undefined)).toBe(false);
    const root = temporaryDirectory();
    mkdirSync(join(root, "cache"));
    expect(refillDue(openArea(makeArea(join(root, "area"))), { directory: join(root, "cache") })).toBe(false);
  });

  it("of a file just written tell how far the file system's clock is off, leaving nothing behind", () => {
    const area = openArea(makeArea(temporaryDirectory()));
    expect(Math.abs(clockSkewMs(area))).toBeLessThan(1000);
    expect(readdirSync(area.privateDir)).toEqual([]);
  });
});

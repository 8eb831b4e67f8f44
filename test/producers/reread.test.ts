import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Reread } from "../../producers/areas/reread.ts";
import { temporaryDirectory } from "../support/area.ts";

const minute = 60_000;

test("what was read of an area is read again when its files change, at most every 5 minutes, but soon after a job", () => {
  const area = temporaryDirectory();
  const file = join(area, "megatest.db");
  writeFileSync(file, "");
  const reread = new Reread<number>();
  let reads = 0;
  const at = (now: number) => reread.of(area, [file], () => ++reads, now);
  expect([at(0), at(4 * minute)]).toEqual([1, 1]);
  writeFileSync(file, "changed");
  expect([at(4 * minute), at(6 * minute)]).toEqual([1, 2]);
  expect(at(50 * minute)).toBe(2);
  mkdirSync(join(area, ".mtjobs"));
  writeFileSync(join(area, ".mtjobs", "history.jsonl"), "{}\n");
  expect([at(50 * minute), at(50 * minute)]).toEqual([3, 3]);
  writeFileSync(join(area, ".mtjobs", "history.jsonl"), "{}\n{}\n");
  // Jobs may end all the time.
  expect([at(50 * minute + 9_000), at(50 * minute + 11_000)]).toEqual([3, 4]);
});

test("a file that cannot be looked at, as a link to itself, counts as missing", () => {
  const area = temporaryDirectory();
  symlinkSync(join(area, ".mtjobs"), join(area, ".mtjobs"));
  symlinkSync("megatest.db", join(area, "megatest.db"));
  const reread = new Reread<string>();
  expect(reread.of(area, [join(area, "megatest.db")], () => "read")).toBe("read");
});

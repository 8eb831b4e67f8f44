import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { assertNotPaused, findPause } from "../../../shared/area/pause.ts";
import { makeArea, temporaryDirectory, writeFile } from "../../support/area.ts";

test("a stop file holds the jobs of its area alone, and names the file", async () => {
  const root = temporaryDirectory();
  const [held, free] = [makeArea(join(root, "a1")), makeArea(join(root, "a2"))];
  const file = writeFile(join(held, ".mtjobs/pause"), "");
  expect(await findPause(held, [root])).toBe(file);
  await expect(assertNotPaused(held, [])).rejects.toMatchObject({
    code: "paused",
    message: `jobs are paused by ${file}`,
    details: { file },
  });
  expect(await findPause(free, [root])).toBeUndefined();
  rmSync(file);
  await assertNotPaused(held, [root]);
});

test("a stop file in a root holds every area below it, by whatever path, and none below another root", async () => {
  const [root, other] = [temporaryDirectory(), temporaryDirectory()];
  const area = makeArea(join(root, "group/a1"));
  const file = writeFile(join(root, ".mtjobs/pause"), "disks are changed");
  symlinkSync(area, join(other, "link"));
  expect(await findPause(area, [other, root])).toBe(file);
  expect(await findPause(join(other, "link"), [other, root])).toBe(file);
  expect(await findPause(makeArea(join(other, "a2")), [other, root])).toBeUndefined();
  // Between root and area it does not count.
  rmSync(file);
  writeFile(join(root, "group/.mtjobs/pause"), "");
  expect(await findPause(area, [root])).toBeUndefined();
});

test("a stop file of any kind counts, and a missing area has none", async () => {
  const root = temporaryDirectory();
  const area = makeArea(join(root, "a1"));
  mkdirSync(join(area, ".mtjobs"));
  symlinkSync("/nonexistent", join(area, ".mtjobs/pause"));
  expect(await findPause(area, [])).toBe(join(area, ".mtjobs/pause"));
  expect(await findPause(join(root, "absent"), [root])).toBeUndefined();
});

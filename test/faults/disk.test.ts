import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { buildArea, type SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { isRoot, newArea, temporaryDirectory } from "../support/area.ts";
import {
  assertFinished,
  assertUnharmed,
  errorCodeOf,
  fencesOf,
  fillBut,
  makeReadOnly,
  mayMount,
  mountSmall,
  runReduceProcess,
  unionOf,
} from "../support/queue.ts";

const everyRun = ["--runname", "%", "--compact", "never"];

describe.runIf(mayMount())("a reduce whose disk is full", () => {
  it.each([
    ["the area's, before a run is copied", "areas", 100],
    ["the area's, in the middle of the copies", "areas", 700],
    ["the cache's, where removing needs a journal", "cache", 24],
    ["the cache's, before anything of ours is in it", "cache", 0],
  ] as const)("(%s) says so, has lost nothing, and works again once there is room", async (_, full, room) => {
    const root = temporaryDirectory();
    const mounted = join(root, full);
    mountSmall(mounted, 24);
    const area: SampleArea = buildArea({
      directory: join(root, "areas", "a1"),
      cacheRoot: join(root, "cache"),
      user: "ann",
      host: "host-a",
      runs: 9,
      testsPerRun: 450,
      stepsPerTest: 2,
      dataPerTest: 1,
    });
    const before = unionOf(area);
    const free = fillBut(mounted, room);
    const failed = await runReduceProcess(area, everyRun);
    expect([failed.code, errorCodeOf({ ...failed, code: failed.code ?? -1, ms: 0 })]).toEqual([
      1,
      "disk-full",
    ]);
    assertUnharmed(area, before);
    // The lease is in megatest.db: if its disk has room, no job waits for it to expire.
    if (full === "cache") expect(fencesOf(area).area?.holder).toBeNull();
    free();
    const again = await runReduceProcess(area, everyRun);
    expect(again.code, again.stderr).toBe(0);
    assertFinished(area, before);
  });
});

describe.runIf(!isRoot || mayMount())("a reduce of an area that cannot be written", () => {
  it("says so before it touches anything, and works again once it can be", async () => {
    const area = newArea({ runs: 6, testsPerRun: 5 });
    const before = unionOf(area);
    const again = makeReadOnly(area.directory);
    const refused = await runReduceProcess(area, everyRun);
    expect([refused.code, errorCodeOf({ ...refused, code: refused.code ?? -1, ms: 0 })]).toEqual([
      3,
      "not-owner",
    ]);
    assertUnharmed(area, before);
    again();
    const finished = await runReduceProcess(area, everyRun);
    expect(finished.code, finished.stderr).toBe(0);
    assertFinished(area, before);
  });
});

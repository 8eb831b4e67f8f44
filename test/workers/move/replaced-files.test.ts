import { copyFileSync, renameSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { assertNothingLost, edit, filesOf, newArea, rejectionOf } from "../../support/area.ts";
import { assertReleased, firstTime, runReduce, runRestore, unionOf, withMove } from "../../support/queue.ts";

const fewRuns = { runs: 5, inFlight: 0, unsynced: false, testsPerRun: 4 };

/** Puts a copy of before in the place of a file, at the first passing of a step; `putBack` undoes that. */
function replacer(file: string, step: string) {
  copyFileSync(file, `${file}.backup`);
  const failpoint = firstTime(step, () => {
    renameSync(file, `${file}.aside`);
    copyFileSync(`${file}.backup`, file);
  });
  return { failpoint, putBack: () => renameSync(`${file}.aside`, file) };
}

async function areaWithOneMoved(): Promise<SampleArea> {
  const area = newArea(fewRuns);
  await runReduce(area, { runname: undefined, runId: [1] });
  return area;
}

describe("a database that is replaced while a job runs", () => {
  it.each(["copied", "removing", "removed-from-cache", "removed-from-ref"])(
    "completed-runs.db: ends a reduce before more rows are removed, and with the old file back nothing is lost: at %s",
    async (step) => {
      const area = await areaWithOneMoved();
      const before = unionOf(area);
      const { completedDb } = filesOf(area);
      const { failpoint, putBack } = replacer(completedDb, step);
      const error = await rejectionOf(runReduce(area, {}, { failpoint }));
      expect(error).toMatchObject({
        code: "io",
        message: `${completedDb} was replaced while it was in use`,
        hint: expect.stringContaining("put the earlier file back"),
      });
      putBack();
      await runReduce(area);
      assertNothingLost(before, unionOf(area));
      assertReleased(area);
    },
  );

  it("completed-runs.db: takes no large commit any more, which would go to the file that was moved away", async () => {
    const area = await areaWithOneMoved();
    const { completedDb } = filesOf(area);
    const { failpoint, putBack } = replacer(completedDb, "now");
    const moved = withMove(area, async (session) => {
      failpoint("now");
      session.commitPatiently("completed", () => {});
    });
    expect(await rejectionOf(moved)).toMatchObject({
      code: "io",
      message: `${completedDb} was replaced while it was in use`,
    });
    putBack();
  });

  it.each(["area", "cache"] as const)(
    "%s: ends a restore before the copy is deleted, and with the old file back nothing is lost",
    async (place) => {
      const area = await areaWithOneMoved();
      const before = unionOf(area);
      const file = place === "area" ? area.megatestDb : area.cacheDb;
      const { failpoint, putBack } = replacer(file, "whole");
      const error = await rejectionOf(runRestore(area, {}, { failpoint }));
      expect(error).toMatchObject({ code: "io", message: expect.stringMatching(/was replaced .*in use/) });
      putBack();
      // Its lease could not be released.
      if (place === "area") edit(area, ["area"], (db) => db.exec("UPDATE mtjobs_fence SET expires_at = 1"));
      await runRestore(area);
      assertNothingLost(before, unionOf(area));
      assertReleased(area);
    },
  );
});

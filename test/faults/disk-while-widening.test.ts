import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { buildArea, type SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { toJobsError } from "../../shared/errors.ts";
import { assertNothingLost, completedColumn, readColumn, temporaryDirectory } from "../support/area.ts";
import { fillBut, mayMount, mountSmall, runReduce, unionOf } from "../support/queue.ts";

/** An area of four runs, each a batch of its own, on a small file system. */
function areaOn(mounted: string, root: string): SampleArea {
  return buildArea({
    directory: join(mounted, "a1"),
    cacheRoot: join(root, "cache"),
    user: "ann",
    host: "host-a",
    runs: 4,
    inFlight: 0,
    unsynced: false,
    testsPerRun: 1400,
    stepsPerTest: 1,
    dataPerTest: 0,
  });
}

describe.runIf(mayMount())("a column added to the cache while several batches wait to be removed", () => {
  it("keeps every value where the disk is too full for the column in completed-runs.db", async () => {
    const root = temporaryDirectory();
    const mounted = join(root, "areas");
    mountSmall(mounted, 48);
    const area = areaOn(mounted, root);
    const before = unionOf(area);
    const site = new Database(area.cacheDb, { timeout: 30_000 });
    let removals = 0;
    let free = () => {};
    // A transaction of the site's holds up all that is to be removed from the cache, until two batches wait there.
    const failpoint = (step: string) => {
      if (step !== "removing") return;
      removals++;
      if (removals === 1) {
        site.exec("BEGIN IMMEDIATE; ALTER TABLE tests ADD COLUMN site TEXT");
        // Without Megatest's trigger, by which the rows would be seen to have changed whatever the columns.
        const { sql } = site
          .prepare("SELECT sql FROM sqlite_schema WHERE name = 'update_tests_trigger'")
          .get() as { sql: string };
        site.exec(`DROP TRIGGER update_tests_trigger; UPDATE tests SET site = 'site ' || id; ${sql}`);
      }
      if (removals === 3) {
        free = fillBut(mounted, 0);
        site.exec("COMMIT");
      }
    };
    const error = await runReduce(area, {}, { failpoint, jobId: "tried-again" }).catch(toJobsError);
    site.close();
    expect([error, removals]).toMatchObject([{ code: "disk-full" }, 3]);
    free();
    const { result } = await runReduce(area, {}, { jobId: "tried-again" });
    expect(result.skipped).toEqual([]);
    const kept = "SELECT count(*) FROM tests WHERE site = 'site ' || id";
    expect([completedColumn(area, kept), readColumn(area.cacheDb, kept)]).toEqual([[5600], [0]]);
    assertNothingLost(before, unionOf(area), { anyLastUpdate: true });
  });
});

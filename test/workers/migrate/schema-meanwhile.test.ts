import { expect, it } from "vitest";
import {
  assertNothingLost,
  changeInCacheOnly,
  changeInMegatestDbOnly,
  edit,
  firstTestOf,
  type Place,
  readColumn,
  temporaryDirectory,
} from "../../support/area.ts";
import { buildForTwo, migrateByHand, seenFromSide } from "../../support/hosts.ts";
import { runReduce, unionOf } from "../../support/queue.ts";

it.each(["migration-begun", "settled-in-area", "settled-in-cache", "settled-in-ref", "migration-gathered"])(
  "a column that is added and filled at %s while an area moves to another homehost is there with every value",
  async (step) => {
    const root = temporaryDirectory();
    const { area, place } = buildForTwo(root, { unsynced: false });
    const before = unionOf(area);
    // Rows for the two to be brought together by.
    changeInCacheOnly(area, 1);
    changeInMegatestDbOnly(area, 2);
    const changed = [firstTestOf(area, 1), firstTestOf(area, 2)];
    let done = false;
    const failpoint = (name: string) => {
      if (name !== step || done) return;
      done = true;
      for (const side of ["cache", "area"] as Place[])
        edit(area, [side], (db) =>
          db.exec(`ALTER TABLE tests ADD COLUMN site TEXT; UPDATE tests SET site = '${side} ' || id`),
        );
    };
    await migrateByHand({ ...place, jobId: "m-1", failpoint });
    expect(done).toBe(true);
    const there = seenFromSide(area, root, "new");
    const sites = (file: string) =>
      readColumn(file, "SELECT site FROM tests WHERE testname NOT LIKE 'mtjobs%' ORDER BY id");
    const ids = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    expect(sites(there.cacheDb)).toEqual(ids.map((id) => `cache ${id}`));
    expect(sites(there.megatestDb)).toEqual(ids.map((id) => `area ${id}`));
    const mayChange = ({ table, id }: { table: string; id: string }) =>
      table === "tests" && changed.some((test) => id === `i:${test}`);
    assertNothingLost(before, unionOf(there), { anyLastUpdate: true, mayChange });
    expect((await runReduce(there)).result.moved.runs).toBe(3);
    assertNothingLost(before, unionOf(there), { anyLastUpdate: true, mayChange });
  },
);

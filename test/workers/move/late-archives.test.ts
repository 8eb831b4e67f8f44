import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  completedColumn,
  edit,
  everywhere,
  filesOf,
  keptVersions,
  newArea,
  type Place,
  readColumn,
  readRows,
  reuseBlockId,
} from "../../support/area.ts";
import { reduceSafely, runReduceProcess } from "../../support/queue.ts";

const nothing = { runname: "no such run" };

/** Runs 1 and 2 of four have moved; the first test of run 2 lies in block 2 where it is said to. */
async function movedArea({ archived }: { archived: boolean }): Promise<SampleArea> {
  const area = newArea({ runs: 4, inFlight: 0, unsynced: false, testsPerRun: 4 });
  if (archived) {
    edit(area, everywhere, (db) =>
      db.exec("UPDATE tests SET archived = 2 WHERE id = (SELECT min(id) FROM tests WHERE run_id = 2)"),
    );
  }
  await reduceSafely(area, { runname: undefined, runId: [1, 2] });
  return area;
}

function reportLate(area: SampleArea, places: readonly Place[]): void {
  edit(area, places, (db) =>
    db.exec(
      `INSERT INTO tests (id, run_id, testname, state, archived) VALUES (5000, 2, 'late', 'COMPLETED', 2)`,
    ),
  );
}

/** Disk and block of a test, by what its number means in a database. */
const pathOf = (file: string, test: number) =>
  readColumn(
    file,
    `SELECT k.disk_path || ' ' || b.disk_path FROM tests AS t JOIN archive_blocks AS b ON b.id = t.archived
     JOIN archive_disks AS k ON k.id = b.archive_disk_id WHERE t.id = ?`,
    test,
  );

describe("the archive block of a test that comes late for a moved run", () => {
  it.each<[string, Place]>([
    ["the cache", "cache"],
    ["megatest.db", "area"],
  ])("goes along with its disk, from %s", async (_, place) => {
    const area = await movedArea({ archived: false });
    reportLate(area, [place]);
    const file = place === "cache" ? area.cacheDb : area.megatestDb;
    const path = pathOf(file, 5000);
    expect(path).toHaveLength(1);
    const { result } = await reduceSafely(area, nothing);
    expect(result).toMatchObject({ late: 1, superseded: 0 });
    expect(pathOf(filesOf(area).completedDb, 5000)).toEqual(path);
    expect(completedColumn(area, "SELECT id FROM archive_blocks")).toEqual([2]);
    expect(completedColumn(area, "SELECT count(*) FROM mtjobs_archived")).toEqual([0]);
  });

  it("goes along from megatest.db where the cache has the test and not the block", async () => {
    const area = await movedArea({ archived: false });
    reportLate(area, ["cache"]);
    const path = pathOf(area.cacheDb, 5000);
    edit(area, ["cache"], (db) => db.exec("DELETE FROM archive_blocks; DELETE FROM archive_disks"));
    await reduceSafely(area, nothing);
    expect(pathOf(filesOf(area).completedDb, 5000)).toEqual(path);
  });

  it("takes a new id where its own means another path there, and the test remembers the old one", async () => {
    const area = await movedArea({ archived: true });
    const moved = completedColumn(area, "SELECT id FROM tests WHERE archived = 2");
    const earlier = pathOf(filesOf(area).completedDb, Number(moved[0]));
    reuseBlockId(area, ["cache", "area"], 2);
    reportLate(area, everywhere);
    const path = pathOf(area.cacheDb, 5000);
    const { result } = await reduceSafely(area, nothing);
    expect(result).toMatchObject({ late: 1, superseded: 0 });
    expect(path).not.toEqual(earlier);
    expect(pathOf(filesOf(area).completedDb, 5000)).toEqual(path);
    expect(pathOf(filesOf(area).completedDb, Number(moved[0]))).toEqual(earlier);
    expect(readRows(filesOf(area).completedDb, "SELECT * FROM mtjobs_archived")).toEqual([
      { test_id: 5000, original: 2 },
    ]);
    expect((await reduceSafely(area, nothing)).result).toMatchObject({ late: 0, superseded: 0 });
  });

  it("is that of the later version where a moved test comes again, archived since", async () => {
    const area = await movedArea({ archived: true });
    const [row] = readRows(filesOf(area).completedDb, "SELECT * FROM tests WHERE archived = 2");
    reuseBlockId(area, ["cache", "area"], 2);
    const again = { ...row, comment: "archived anew" };
    const names = Object.keys(again);
    edit(area, ["cache"], (db) =>
      db
        .prepare(`INSERT INTO tests (${names.join()}) VALUES (${names.map(() => "?").join()})`)
        .run(...Object.values(again)),
    );
    const path = pathOf(area.cacheDb, Number(row?.id));
    await reduceSafely(area, nothing, { losses: { mayChange: () => true } });
    expect(pathOf(filesOf(area).completedDb, Number(row?.id))).toEqual(path);
    expect(completedColumn(area, "SELECT original FROM mtjobs_archived")).toEqual([2]);
    expect(keptVersions(area, "tests", Number(row?.id), "comment")).toEqual([JSON.stringify(row?.comment)]);
  });
});

describe("the old number of a block that took a new id", () => {
  it("is forgotten with a copy that is taken back", async () => {
    const area = await movedArea({ archived: true });
    edit(area, everywhere, (db) => db.exec("UPDATE tests SET archived = 2 WHERE run_id = 3"));
    const paths = readColumn(area.cacheDb, "SELECT disk_path FROM archive_blocks WHERE id = 2");
    reuseBlockId(area, ["cache", "area"], 2);
    const { signal } = await runReduceProcess(area, ["--run-id", "3", "--compact", "never"], {
      MTJOBS_FAILPOINT: "copied=kill",
    });
    expect(signal).toBe("SIGKILL");
    expect(completedColumn(area, "SELECT count(*) > 0 FROM mtjobs_archived")).toEqual([1]);
    edit(area, ["cache", "area"], (db) =>
      db.prepare("UPDATE archive_blocks SET disk_path = ? WHERE id = 2").run(paths[0]),
    );
    const { result } = await reduceSafely(area, { runname: undefined, runId: [3] });
    expect(result).toMatchObject({ moved: { runs: 1 }, superseded: 0 });
    expect(completedColumn(area, "SELECT count(*) FROM mtjobs_archived")).toEqual([0]);
    expect(completedColumn(area, "SELECT DISTINCT archived FROM tests WHERE run_id = 3")).toEqual([2]);
  });
});

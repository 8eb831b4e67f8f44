import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  type Cell,
  completedColumn,
  edit,
  everywhere,
  fileOf,
  filesOf,
  newArea,
  readColumn,
  readRows,
} from "../../support/area.ts";
import { movedIds, reduceSafely, runReduce } from "../../support/queue.ts";

const nothing = { runname: "no such run" };
const tables = ["runs", "tests", "test_steps", "test_data"] as const;

type Row = Record<string, Cell>;

function insert(area: SampleArea, place: "cache" | "ref" | "area", table: string, row: Row): void {
  const names = Object.keys(row);
  edit(area, [place], (db) =>
    db
      .prepare(`INSERT INTO ${table} (${names.join()}) VALUES (${names.map((name) => `@${name}`).join()})`)
      .run(row),
  );
}

/** Run 4, the newest, has moved; its guards stand. */
async function movedArea(arrange: (area: SampleArea) => void = () => {}): Promise<SampleArea> {
  const area = newArea({ runs: 4, inFlight: 0, unsynced: false, testsPerRun: 4 });
  arrange(area);
  expect(movedIds((await runReduce(area, { runname: undefined, runId: [4] })).result)).toEqual([4]);
  return area;
}

/** A clean-up removed the guards, runs were registered, and the guards were put back: they hold. */
function registerWithoutGuards(area: SampleArea, run: Row): void {
  insert(area, "cache", "runs", run);
  for (const place of everywhere) {
    const guards = readColumn(
      fileOf(area, place),
      "SELECT count(*) FROM runs WHERE runname = 'mtjobs-id-guard'",
    );
    expect(guards).toEqual([1]);
  }
}

const renumbered = (area: SampleArea, table: string) =>
  completedColumn(area, "SELECT old_id FROM mtjobs_renumbered WHERE table_name = ?", table);

describe("a run under the id of a moved one, although the guards stand", () => {
  it("is another run where its name is another: the moved one takes a new id", async () => {
    const area = await movedArea();
    registerWithoutGuards(area, {
      id: 4,
      sysname: "a",
      fsname: "b",
      datapath: "c",
      runname: "another",
      state: "COMPLETED",
    });
    const { result } = await reduceSafely(area, nothing, { losses: { newIds: true } });
    expect(renumbered(area, "runs")).toEqual([4]);
    expect(result.warnings.join()).toMatch(/got a new one/);
    expect(readColumn(area.cacheDb, "SELECT runname FROM runs WHERE id = 4")).toEqual(["another"]);
  });

  it("is another run where it has the old name but began later", async () => {
    const area = await movedArea();
    const [row] = readRows(filesOf(area).completedDb, "SELECT * FROM runs WHERE id = 4");
    registerWithoutGuards(area, { ...row, event_time: area.now - 5 });
    await runReduce(area, nothing);
    expect(renumbered(area, "runs")).toEqual([4]);
    expect(readColumn(area.cacheDb, "SELECT event_time FROM runs WHERE id = 4")).toEqual([area.now - 5]);
    expect(completedColumn(area, "SELECT runname FROM runs WHERE id <> 4")).toEqual([row?.runname]);
  });

  it("is none where it is an older version of the moved one that was kept when it lost", async () => {
    let older: Row = {};
    const area = await movedArea((built) => {
      edit(built, ["area"], (db) =>
        db.exec(
          `DROP TRIGGER update_runs_trigger; UPDATE runs SET event_time = event_time - 3600 WHERE id = 4`,
        ),
      );
      older = readRows(built.megatestDb, "SELECT * FROM runs WHERE id = 4")[0] ?? {};
    });
    insert(area, "area", "runs", older);
    await runReduce(area, nothing);
    for (const table of tables) expect(renumbered(area, table)).toEqual([]);
    expect(readColumn(area.megatestDb, "SELECT id FROM runs WHERE id = 4")).toEqual([]);
  });
});

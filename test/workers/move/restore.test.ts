import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  type Cell,
  completedColumn,
  edit,
  everywhere,
  fileOf,
  newArea,
  type Place,
  readRows,
} from "../../support/area.ts";
import { movedIds, reduceSafely, runRestore, skippedBy, startMegatestServer } from "../../support/queue.ts";

const atRest = { runs: 6, inFlight: 0, unsynced: false, testsPerRun: 6 };
const synced = ["runs", "tests", "test_steps", "test_data"];
const unsynced = ["run_stats", "extradat", "test_rundat", "archives"];

type Rows = Record<string, Cell>[];

/** The rows of a table without those that guard ids. */
function rowsOf(area: SampleArea, place: Place, table: string): Rows {
  return readRows(fileOf(area, place), `SELECT * FROM ${table} ORDER BY id`).filter(
    (row) => !Object.values(row).includes("mtjobs-id-guard"),
  );
}

function snapshot(area: SampleArea, place: Place): Record<string, Rows> {
  return Object.fromEntries([...synced, ...unsynced].map((table) => [table, rowsOf(area, place, table)]));
}

/** Rows as a whole, whatever their id. */
const contents = (rows: Rows) =>
  rows.map(({ id: _id, last_update: _time, ...rest }) => JSON.stringify(rest)).sort();

describe("a reduce followed by a restore", () => {
  it("gives an area at rest every row of every table back in cache, ref and megatest.db", async () => {
    const area = newArea(atRest);
    const before = snapshot(area, "cache");
    const alone = snapshot(area, "area");
    // two jobs: what the first one brought of megatest.db alone must not take the ids of what comes with the second
    await reduceSafely(area, { runname: undefined, runId: [1, 2] });
    await reduceSafely(area, {});
    expect(rowsOf(area, "cache", "tests")).toEqual([]);
    const { result } = await runRestore(area);
    expect(result).toMatchObject({ job: "restore", state: "completed", skipped: [], warnings: [] });
    expect(result.moved).toMatchObject({ runs: 6, tests: 36 });
    for (const place of everywhere) {
      const after = snapshot(area, place);
      for (const table of synced) expect(after[table], `${place}.${table}`).toEqual(before[table]);
      for (const table of unsynced) {
        expect(after[table], `${place}.${table}`).toEqual(expect.arrayContaining(before[table] as Rows));
        const known = contents(before[table] as Rows);
        const extra = contents(alone[table] as Rows).filter((row) => !known.includes(row));
        expect(contents(after[table] as Rows), `${place}.${table}`).toEqual([...known, ...extra].sort());
      }
    }
    for (const table of [...synced, ...unsynced, "mtjobs_runs"]) {
      expect(completedColumn(area, `SELECT count(*) FROM ${table}`), table).toEqual([0]);
    }
  });

  it("leaves nothing for Megatest's sync to write", async () => {
    const area = newArea(atRest);
    await reduceSafely(area, {});
    await runRestore(area);
    edit(area, [], () => {});
    const state = () => everywhere.map((place) => snapshot(area, place));
    const before = state();
    const server = await startMegatestServer({ ...area, syncEveryMs: 200, quietMs: 0, touchEveryMs: 500 });
    try {
      await server.syncedAfresh();
    } finally {
      await server.stop();
    }
    expect(state()).toEqual(before);
  });

  it("brings only the runs chosen back, and says why the others stay", async () => {
    const area = newArea(atRest);
    edit(area, everywhere, (db) => db.exec("UPDATE runs SET state = 'locked' WHERE id = 2"));
    await reduceSafely(area, { includeLocked: true });
    const { result } = await runRestore(area, { runname: undefined, runId: [1, 2, 3] });
    expect(movedIds(result)).toEqual([1, 3]);
    expect(skippedBy(result)).toEqual({ 2: "locked" });
    expect(completedColumn(area, "SELECT run_id FROM mtjobs_runs ORDER BY 1")).toEqual([2, 4, 5, 6]);
  });
});

import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  assertNothingLost,
  completedColumn,
  edit,
  filesOf,
  isCampaign,
  newArea,
  readColumn,
  readRows,
} from "../../support/area.ts";
import { reduceSafely, runReduce, startMegatestServer, unionOf } from "../../support/queue.ts";

const fourRuns = { runs: 4, inFlight: 0, unsynced: false, testsPerRun: 4 };

/** Nothing of the moved runs is in any database of the area. */
function expectGone(area: SampleArea): void {
  for (const file of [area.cacheDb, area.refDb, area.megatestDb]) {
    expect(
      readColumn(
        file,
        "SELECT id FROM runs WHERE id IN (1, 2) UNION ALL SELECT id FROM tests WHERE run_id IN (1, 2)",
      ),
    ).toEqual([]);
    const known = completedColumn(area, "SELECT id FROM tests").join();
    for (const table of ["test_steps", "test_data", "test_rundat", "archives"]) {
      expect(readColumn(file, `SELECT id FROM ${table} WHERE test_id IN (${known})`)).toEqual([]);
    }
  }
}

describe("rows that a sync put back", () => {
  it("are removed again by the next job, if no job checked in time", async () => {
    const area = newArea(fourRuns);
    await reduceSafely(area, { runname: undefined, runId: [1, 2] });
    const rows = readRows(filesOf(area).completedDb, "SELECT * FROM runs WHERE id = 2");
    edit(area, ["ref", "area"], (db) => {
      for (const row of rows) {
        const names = Object.keys(row).filter((name) => name !== "last_update");
        db.prepare(`INSERT INTO runs (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`).run(
          ...names.map((name) => row[name]),
        );
      }
    });
    const { result } = await reduceSafely(area, { runname: "no such run" });
    expect(result).toMatchObject({ late: 0, superseded: 0 });
    expectGone(area);
  });

  it.runIf(isCampaign)(
    "by a server that read them before their removal and writes after it are removed by the same job",
    async () => {
      // Most of the time is spent waiting for the server, so the three areas are worked on side by side.
      const written = await Promise.all(["runs", "tests", "test_steps"].map(riseFrom));
      for (const rows of written) expect(rows).toBeGreaterThan(0);
    },
    120_000,
  );
});

/** Holds a sync with the table's rows read, reduces, and lets it write. Returns how many rows it wrote. */
async function riseFrom(table: string): Promise<number> {
  const area = newArea(fourRuns);
  const server = await startMegatestServer({ ...area, syncEveryMs: 300, quietMs: 1_000, touchEveryMs: 500 });
  try {
    await server.syncedAfresh();
    // the server finds something to carry in every table
    edit(area, ["cache"], (db) =>
      db.exec(
        "UPDATE runs SET comment = 'x'; UPDATE tests SET comment = 'x'; UPDATE test_steps SET comment = 'x'",
      ),
    );
    const before = unionOf(area);
    await server.pauseAt(table, "reference-read");
    const held = server.reports.length;
    const { result } = await runReduce(
      area,
      { runname: undefined, runId: [1, 2] },
      { failpoint: (name) => void (name === "moved" && server.goOn()) },
    );
    expect(result.moved.runs).toBe(2);
    const { rows } = await server.next("synced", held);
    await server.syncedAfresh();
    assertNothingLost(before, unionOf(area));
    expectGone(area);
    return rows[table] ?? 0;
  } finally {
    await server.stop();
  }
}

import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  assertNothingLost,
  completedColumn,
  edit,
  filesOf,
  isCampaign,
  newArea,
  type Place,
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

/** Puts run 2 back as a sync would. */
function putBack(area: SampleArea, places: readonly Place[]): void {
  const rows = readRows(filesOf(area).completedDb, "SELECT * FROM runs WHERE id = 2");
  edit(area, places, (db) => {
    for (const row of rows) {
      const names = Object.keys(row).filter((name) => name !== "last_update");
      db.prepare(`INSERT INTO runs (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`).run(
        ...names.map((name) => row[name]),
      );
    }
  });
}

describe("rows that a sync put back", () => {
  it("are removed again by the next job, if no job checked in time", async () => {
    const area = newArea(fourRuns);
    await reduceSafely(area, { runname: undefined, runId: [1, 2] });
    putBack(area, ["ref", "area"]);
    const { result } = await reduceSafely(area, { runname: "no such run" });
    expect(result).toMatchObject({ late: 0, superseded: 0 });
    expectGone(area);
  });

  it("after each of three removals stay, as a warning says, and are removed by the next job", async () => {
    const area = newArea(fourRuns);
    const before = unionOf(area);
    let returns = 0;
    let isMoved = false;
    const failpoint = (name: string) => {
      isMoved ||= name === "moved";
      if (!isMoved || (name !== "moved" && name !== "removed-from-area")) return;
      putBack(area, ["area"]);
      returns++;
    };
    const two = { runname: undefined, runId: [1, 2] };
    const { result } = await runReduce(area, two, { failpoint });
    expect(returns).toBe(4);
    expect(result).toMatchObject({ state: "completed", moved: { runs: 2 }, late: 0, superseded: 0 });
    expect(result.warnings).toEqual([
      "a sync kept putting back rows of moved runs; the next job removes them",
    ]);
    expect(readColumn(area.megatestDb, "SELECT id FROM runs WHERE id = 2")).toEqual([2]);
    const next = await runReduce(area, { runname: "no such run" });
    expect(next.result.warnings).not.toContain(result.warnings[0]);
    assertNothingLost(before, unionOf(area));
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

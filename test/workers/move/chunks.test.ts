import { describe, expect, it } from "vitest";
import { completedColumn, edit, everywhere, newArea, readColumn, readRows } from "../../support/area.ts";
import { movedIds, runReduce, runReduceProcess } from "../../support/queue.ts";

/** What is looked at piece by piece, so that no lock lasts, is looked at to its end. */

describe("a run too large for one look", () => {
  it("is found again where a sync put a step of its last test back", async () => {
    const area = newArea({
      runs: 2,
      inFlight: 0,
      unsynced: false,
      testsPerRun: 2050,
      stepsPerTest: 1,
      dataPerTest: 0,
    });
    edit(area, everywhere, (db) => db.exec("DELETE FROM tests WHERE run_id = 1"));
    // In the order in which completed-runs.db will list them.
    const last = readColumn(area.megatestDb, "SELECT id FROM tests WHERE run_id = 2").at(-1);
    const [step] = readRows(area.megatestDb, "SELECT * FROM test_steps WHERE test_id = ?", last ?? null);
    // The second job notes how far steps were looked at, so that no later one finds this step by its id.
    await runReduce(area, { runname: undefined, runId: [1] });
    expect(movedIds((await runReduce(area)).result)).toEqual([2]);
    const names = Object.keys(step ?? {});
    edit(area, ["area"], (db) =>
      db
        .prepare(
          `INSERT INTO test_steps (${names.join()}) VALUES (${names.map((name) => `@${name}`).join()})`,
        )
        .run(step ?? {}),
    );
    await runReduce(area, { runname: "no such run" });
    expect(readColumn(area.megatestDb, "SELECT id FROM test_steps WHERE id = ?", step?.id ?? null)).toEqual(
      [],
    );
  });

  it("is not taken back where a row of its last test stands in the copy alone", async () => {
    const area = newArea({ runs: 1, inFlight: 0, unsynced: false, testsPerRun: 60 });
    const last = "(SELECT max(id) FROM tests WHERE run_id = 1)";
    edit(area, ["cache"], (db) =>
      db.exec(`INSERT INTO archives (test_id, archive_path) VALUES (${last}, '/last')`),
    );
    const { signal } = await runReduceProcess(area, ["--runname", "%", "--compact", "never"], {
      MTJOBS_FAILPOINT: "removing=kill",
    });
    expect(signal).toBe("SIGKILL");
    edit(area, ["cache"], (db) => db.exec("DELETE FROM archives WHERE archive_path = '/last'"));
    await runReduce(area);
    expect(completedColumn(area, "SELECT test_id FROM archives WHERE archive_path = '/last'")).toHaveLength(
      1,
    );
  });
});

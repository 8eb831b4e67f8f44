import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { JobsError } from "../../../shared/errors.ts";
import type { FailpointName } from "../../../workers/area-db/failpoint-names.ts";
import { completedColumn, edit, everywhere, firstTestOf, newArea, readColumn } from "../../support/area.ts";
import { run2, runReduce, runRestore, skippedBy } from "../../support/queue.ts";

/** Runs `act` at the step, once. */
function at(step: FailpointName, act: () => void): { failpoint: (name: string) => void } {
  let isDone = false;
  return {
    failpoint(name) {
      if (name !== step || isDone) return;
      isDone = true;
      act();
    },
  };
}

const die = () => {
  throw new JobsError("stopped", "died");
};

const comment = (text: string) => `UPDATE tests SET comment = '${text}' WHERE run_id = 2`;
const write = (area: SampleArea, sql: string) => edit(area, ["cache"], (db) => db.exec(sql));
const commentsIn = (file: string) => readColumn(file, "SELECT DISTINCT comment FROM tests WHERE run_id = 2");
const copied = (area: SampleArea) =>
  completedColumn(area, "SELECT DISTINCT comment FROM tests WHERE run_id = 2");

/** The comments of run 2 are 'older' everywhere, and 'newer' in the cache, not synced yet. */
function areaWithUnsyncedComments(): SampleArea {
  const area = newArea({ runs: 4, inFlight: 0, unsynced: false });
  edit(area, everywhere, (db) => db.exec(comment("older")));
  write(area, comment("newer"));
  return area;
}

const reduce2 = { runname: undefined, runId: [2] };
const others = { runname: undefined, runId: [3] };

describe("a value that a client put back counts, although it lost once,", () => {
  it("where a restore died after everything was back", async () => {
    const area = areaWithUnsyncedComments();
    await runReduce(area, reduce2);
    expect(copied(area)).toEqual(["newer"]);
    await expect(runRestore(area, run2, at("whole", die))).rejects.toThrow("died");
    write(area, comment("older"));
    await runReduce(area, others);
    expect(copied(area)).toEqual(["older"]);
    expect(commentsIn(area.cacheDb)).toEqual([]);
  });

  it("where it came while a restore was at work", async () => {
    const area = areaWithUnsyncedComments();
    await runReduce(area, reduce2);
    const { result } = await runRestore(
      area,
      run2,
      at("inserted-in-cache", () => write(area, comment("older"))),
    );
    expect(skippedBy(result)).toEqual({ 2: "changed" });
    expect(copied(area)).toEqual(["older"]);
  });
});

describe("a run whose reduce died before anything was removed", () => {
  it("is left where its owner locked it since", async () => {
    const area = areaWithUnsyncedComments();
    await expect(runReduce(area, reduce2, at("removing", die))).rejects.toThrow("died");
    write(area, "UPDATE runs SET state = 'locked' WHERE id = 2");
    const { result } = await runReduce(area, reduce2);
    expect(skippedBy(result)).toEqual({ 2: "locked" });
    expect(copied(area)).toEqual([]);
    expect(commentsIn(area.cacheDb)).toEqual(["newer"]);
  });

  it("is judged by what a client wrote since, and moves with it", async () => {
    const area = areaWithUnsyncedComments();
    await expect(runReduce(area, reduce2, at("removing", die))).rejects.toThrow("died");
    write(area, `UPDATE tests SET comment = 'newest' WHERE id = ${firstTestOf(area, 2)}`);
    const { result } = await runReduce(area, others);
    expect(result.runs.map(({ id }) => id)).toEqual([3]);
    expect(commentsIn(area.cacheDb).sort()).toEqual(["newer", "newest"]);
    await runReduce(area, reduce2);
    expect(copied(area).sort()).toEqual(["newer", "newest"]);
  });

  it("keeps the newest value where a refill brought the older one back after its removal", async () => {
    const area = areaWithUnsyncedComments();
    await expect(runReduce(area, reduce2, at("removed-from-cache", die))).rejects.toThrow("died");
    expect(commentsIn(area.cacheDb)).toEqual([]);
    edit(area, ["cache"], (db) => {
      db.prepare("ATTACH ? AS area").run(area.megatestDb);
      for (const table of ["runs", "tests", "test_steps", "test_data"]) {
        const of =
          { runs: "id = 2", tests: "run_id = 2" }[table] ??
          "test_id IN (SELECT id FROM area.tests WHERE run_id = 2)";
        db.exec(`INSERT INTO main.${table} SELECT * FROM area.${table} WHERE ${of}`);
      }
    });
    expect(commentsIn(area.cacheDb)).toEqual(["older"]);
    await runReduce(area, others);
    expect(copied(area)).toEqual(["newer"]);
    expect(commentsIn(area.cacheDb)).toEqual([]);
  });
});

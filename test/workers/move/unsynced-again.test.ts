import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { JobsError } from "../../../shared/errors.ts";
import {
  completedColumn,
  edit,
  firstTestOf,
  keptVersions,
  newArea,
  type Place,
  readColumn,
} from "../../support/area.ts";
import { firstTime, runReduce, runRestore } from "../../support/queue.ts";

const counts = "SELECT count FROM run_stats WHERE run_id = 2 AND state = 'again' ORDER BY count";
const count = (value: number) =>
  `INSERT INTO run_stats (run_id, state, status, count) VALUES (2, 'again', 'PASS', ${value});`;

/** Run 2 has been out and back with a row in run_stats, which is in all three databases now. */
async function restoredArea(): Promise<SampleArea> {
  const area = newArea({ runs: 4, inFlight: 0, unsynced: false });
  write(area, ["cache"], count(2));
  await runReduce(area, { runname: undefined, runId: [2] });
  await runRestore(area, { runname: undefined, runId: [2] });
  for (const file of [area.cacheDb, area.refDb, area.megatestDb])
    expect(readColumn(file, counts)).toEqual([2]);
  return area;
}

const write = (area: SampleArea, places: readonly Place[], sql: string) =>
  edit(area, places, (db) => db.exec(sql));

const remove = "DELETE FROM run_stats WHERE run_id = 2 AND state = 'again';";

describe("a row that never syncs, of a run that was restored,", () => {
  it("moves once where a client replaced it in the cache, and the replaced one is kept", async () => {
    const area = await restoredArea();
    for (const value of [3, 4]) {
      write(area, ["cache"], remove + count(value));
      const { result } = await runReduce(area, { runname: undefined, runId: [2] });
      expect(completedColumn(area, counts)).toEqual([value]);
      expect(result.superseded).toBe(1);
      await runRestore(area, { runname: undefined, runId: [2] });
      expect(readColumn(area.cacheDb, counts)).toEqual([value]);
    }
  });

  it("moves with one that megatest.db alone got since", async () => {
    const area = await restoredArea();
    write(area, ["area"], count(7));
    write(area, ["cache"], remove + count(3));
    await runReduce(area, { runname: undefined, runId: [2] });
    expect(completedColumn(area, counts)).toEqual([3, 7]);
  });

  it("moves as often as the cache has equal ones", async () => {
    const area = await restoredArea();
    write(area, ["cache", "area"], count(2));
    write(area, ["area"], count(2));
    await runReduce(area, { runname: undefined, runId: [2] });
    expect(completedColumn(area, counts)).toEqual([2, 2, 2]);
  });

  it("moves if the cache has none of its run, as one that was made anew", async () => {
    const area = await restoredArea();
    write(area, ["cache"], "DELETE FROM run_stats WHERE run_id = 2");
    await runReduce(area, { runname: undefined, runId: [2] });
    expect(completedColumn(area, counts)).toEqual([2]);
  });

  it("is told apart by its test", async () => {
    const area = newArea({ runs: 4, inFlight: 0, unsynced: false });
    const [changed, other] = [firstTestOf(area, 2), firstTestOf(area, 3)];
    const add = (test: number, load: number) =>
      `INSERT INTO test_rundat (test_id, update_time, cpuload) VALUES (${test}, 1, ${load});`;
    write(area, ["cache", "ref", "area"], `DELETE FROM test_rundat; ${add(changed, 1)} ${add(other, 1)}`);
    write(area, ["cache"], `DELETE FROM test_rundat; ${add(changed, 2)}`);
    await runReduce(area);
    expect(completedColumn(area, "SELECT test_id, cpuload FROM test_rundat ORDER BY test_id")).toEqual([
      changed,
      other,
    ]);
    expect(completedColumn(area, "SELECT cpuload FROM test_rundat ORDER BY test_id")).toEqual([2, 1]);
    expect(keptVersions(area, "test_rundat", 1, "cpuload")).toEqual(["i:1"]);
  });

  it("moves once where the ids differ between the databases, and a run that stays has one of them", async () => {
    const area = newArea({ runs: 4, inFlight: 0, unsynced: false });
    const add = (run: number, value: number, id: number) =>
      `INSERT INTO run_stats (id, run_id, state, status, count) VALUES (${id}, ${run}, 'again', 'PASS', ${value});`;
    write(area, ["ref"], add(2, 2, 7300) + add(3, 5, 7301));
    write(area, ["area"], add(2, 2, 7100) + add(3, 5, 7101));
    write(area, ["cache"], add(2, 3, 7200) + add(3, 9, 7100));
    write(
      area,
      ["cache"],
      `UPDATE tests SET state = 'RUNNING', event_time = ${area.now}, run_duration = 0 WHERE id = ${firstTestOf(area, 3)}`,
    );
    const { result } = await runReduce(area, { runname: undefined, runId: [2, 3] });
    expect(result).toMatchObject({ moved: { runs: 1 }, late: 0 });
    expect(completedColumn(area, counts)).toEqual([3]);
    expect(completedColumn(area, "SELECT row_id FROM mtjobs_superseded ORDER BY row_id")).toEqual([
      7100, 7300,
    ]);
  });

  it("moves where the ref lacks a column of its table", async () => {
    const area = await restoredArea();
    write(area, ["cache", "area"], "ALTER TABLE run_stats ADD COLUMN note TEXT");
    write(area, ["cache"], remove + count(3));
    await runReduce(area, { runname: undefined, runId: [2] });
    expect(completedColumn(area, counts)).toEqual([2, 3]);
  });

  it("moves as a client put it back after the copy, under its former id", async () => {
    const area = newArea({ runs: 4, inFlight: 0, unsynced: false });
    const set = (value: string) =>
      `DELETE FROM extradat; INSERT INTO extradat (id, run_id, key, val) VALUES (7000, 2, 'k', '${value}')`;
    const reduce2 = { runname: undefined, runId: [2] };
    write(area, ["cache", "ref", "area"], "DELETE FROM extradat");
    write(area, ["cache"], set("a"));
    await runReduce(area, reduce2);
    await runRestore(area, reduce2);
    write(area, ["cache"], set("b"));
    await runReduce(area, reduce2, {
      failpoint: firstTime("verified", () => {
        write(area, ["cache"], set("a"));
      }),
    });
    expect(completedColumn(area, "SELECT val FROM extradat")).toEqual(["a"]);
  });

  it("moves where a client reports for the moved run what it had replaced before", async () => {
    const area = newArea({ runs: 4, inFlight: 0, unsynced: false });
    const add = (value: string) => `INSERT INTO extradat (run_id, key, val) VALUES (2, 'k', '${value}')`;
    const reduce2 = { runname: undefined, runId: [2] };
    write(area, ["cache", "ref", "area"], "DELETE FROM extradat");
    write(area, ["cache"], add("a"));
    await runReduce(area, reduce2);
    await runRestore(area, reduce2);
    write(area, ["cache"], `DELETE FROM extradat; ${add("b")}`);
    await runReduce(area, reduce2);
    write(area, ["cache"], add("a"));
    const { result } = await runReduce(area, { runname: undefined, runId: [99] });
    expect(result).toMatchObject({ late: 1, superseded: 0 });
    expect(completedColumn(area, "SELECT val FROM extradat ORDER BY val")).toEqual(["a", "b"]);
  });

  it("is kept once where its test got another id after a reduce had died", async () => {
    const area = newArea({ runs: 4, inFlight: 0, unsynced: false });
    const test = firstTestOf(area, 2);
    const reduce2 = { runname: undefined, runId: [2] };
    write(
      area,
      ["cache"],
      `INSERT INTO test_rundat (test_id, update_time, cpuload) VALUES (${test}, 5, '1')`,
    );
    const died = runReduce(area, reduce2, {
      failpoint(name) {
        if (name === "removing") throw new JobsError("stopped", "died");
      },
    });
    await expect(died).rejects.toThrow("died");
    write(area, ["cache"], `UPDATE tests SET id = 7777, comment = 'again' WHERE id = ${test}`);
    await runReduce(area, { runname: undefined, runId: [99] });
    const kept = (having: string) =>
      completedColumn(
        area,
        `SELECT row_id FROM mtjobs_superseded WHERE table_name = 'test_rundat' GROUP BY row_id, row HAVING count(*) ${having}`,
      );
    expect(kept("> 0").length).toBeGreaterThan(0);
    expect(kept("> 1")).toEqual([]);
  });
});

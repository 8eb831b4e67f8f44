import Database from "better-sqlite3";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { areGuarded, guardAgain, guardsHold, raiseGuards } from "../../../workers/move/ids/id-guards.ts";
import { isRepairPending } from "../../../workers/move/ids/repair-flag.ts";
import { cleanUp, edit, everywhere, fileOf, filesOf, newArea, readColumn } from "../../support/area.ts";
import { runReduce, withMove } from "../../support/queue.ts";

/** Run 1 stays, the others have moved. */
async function reducedArea(): Promise<SampleArea> {
  const area = newArea({ runs: 4, inFlight: 0, testsPerRun: 4, unsynced: false });
  await runReduce(area, { runname: undefined, runId: [2, 3, 4] });
  return area;
}

function editCompleted(area: SampleArea, sql: string): void {
  const db = new Database(filesOf(area).completedDb, { fileMustExist: true });
  db.exec(sql);
  db.close();
}

/** The id of the datum that guards the ids of test_data. */
const guardId = (area: SampleArea) =>
  Number(readColumn(area.cacheDb, "SELECT id FROM test_data WHERE variable = 'mtjobs-id-guard'")[0]);

const hold = (area: SampleArea) => withMove(area, async (session) => guardsHold(session));

/** A clean-up everywhere, and what is left of the guards with it. */
function loseGuards(area: SampleArea): void {
  cleanUp(everywhere.map((place) => fileOf(area, place)));
}

describe("guards of ids", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it("hold if they are the same in every database, above all that has moved", async () => {
    const area = await reducedArea();
    expect(await hold(area)).toBe(true);
    edit(area, ["ref"], (db) =>
      db.exec("UPDATE test_data SET id = id + 1 WHERE variable = 'mtjobs-id-guard'"),
    );
    await withMove(area, async (session) => {
      expect(guardsHold(session)).toBe(false);
      expect(areGuarded(session, { test_data: 1n })).toBe(false);
    });
  });

  it("do not hold if a moved row has the id of one", async () => {
    const area = await reducedArea();
    expect(await hold(area)).toBe(true);
    editCompleted(area, `INSERT INTO test_data (id, test_id) VALUES (${guardId(area)}, 1)`);
    expect(await hold(area)).toBe(false);
  });

  it("that are raised above the id of a kept version have ids compared: it may have been given out again", async () => {
    const area = await reducedArea();
    const kept = guardId(area) + 5;
    editCompleted(
      area,
      `INSERT INTO mtjobs_superseded (table_name, row_id, source, reason, job_id, at, columns, row, carried)
       VALUES ('test_data', ${kept}, 'cache', 'older', 'j', 1, '["id"]', '${kept}', '')`,
    );
    await withMove(area, async (session) => {
      expect(isRepairPending(session)).toBe(false);
      await guardAgain(session);
      expect(isRepairPending(session)).toBe(true);
    });
    expect(guardId(area)).toBeGreaterThan(kept);
  });

  it("guard every id below their own", async () => {
    const area = await reducedArea();
    const id = BigInt(guardId(area));
    await withMove(area, async (session) => {
      expect(areGuarded(session, { test_data: id - 1n })).toBe(true);
      expect(areGuarded(session, { test_data: id })).toBe(false);
    });
  });

  it("are put back before rows are removed if a clean-up took them while the rows were copied", async () => {
    const area = await reducedArea();
    const seen: boolean[] = [];
    const failpoint = (step: string) => {
      if (step === "copied") loseGuards(area);
      const count = "SELECT count(*) FROM runs WHERE runname = 'mtjobs-id-guard'";
      if (step === "removing") seen.push(readColumn(area.cacheDb, count)[0] === 1);
    };
    await runReduce(area, {}, { failpoint });
    expect(seen).toEqual([true]);
  });

  it("that were lost have the next job look for ids that were used again, unless nothing has moved", async () => {
    const area = await reducedArea();
    const pending = (at: SampleArea) =>
      withMove(at, async (session) => {
        loseGuards(at);
        await guardAgain(session);
        expect(guardsHold(session)).toBe(true);
        return isRepairPending(session);
      });
    expect(await pending(area)).toBe(true);
    expect(await pending(newArea({ runs: 2, testsPerRun: 4 }))).toBe(false);
  });

  it("are above a row that a client registers after the ids were read and before the lock", async () => {
    const area = await reducedArea();
    await withMove(area, async (session) => {
      const commitOnce = session.commitOnce.bind(session);
      vi.spyOn(session, "commitOnce").mockImplementationOnce((part, body) => {
        edit(area, ["cache"], (db) => db.exec("INSERT INTO test_data (id, test_id) VALUES (70000, 1)"));
        return commitOnce(part, body);
      });
      expect(raiseGuards(session).test_data).toBeGreaterThan(70_000n);
    });
    expect(guardId(area)).toBeGreaterThan(70_000);
  });
});

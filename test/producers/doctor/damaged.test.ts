import { writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { listRuns } from "../../../producers/areas/list-runs.ts";
import { checkOf, diagnoseArea, faultsOf, filesOf, healthyArea, placeOf } from "../../support/area.ts";
import { reduceSafely, runReduce, runRestore } from "../../support/queue.ts";

/** An area whose completed-runs.db, with a run in it, was overwritten. */
async function damagedArea() {
  const area = healthyArea();
  await reduceSafely(area, { runname: undefined, runId: [1] });
  const { completedDb } = filesOf(area);
  writeFileSync(completedDb, "no database at all, whatever its name says ".repeat(200));
  return { area, completedDb };
}

describe("a database that is none", () => {
  it("is named by a reduce, a restore and list-runs --full-db, for people and programs", async () => {
    const { area, completedDb } = await damagedArea();
    const named = {
      code: "corrupt",
      message: `damaged database: ${completedDb}: file is not a database`,
      hint: expect.stringContaining(completedDb),
      details: { databases: [{ file: completedDb }] },
    };
    await expect(runReduce(area)).rejects.toMatchObject(named);
    await expect(runRestore(area)).rejects.toMatchObject(named);
    await expect(listRuns(area.directory, { fullDb: true }, placeOf(area))).rejects.toMatchObject(named);
  });

  it("is one fault to the doctor, and what it keeps from being looked at are notes that name it", async () => {
    const { area, completedDb } = await damagedArea();
    const diagnosis = await diagnoseArea(area);
    expect(faultsOf(diagnosis)).toEqual(["journal/completed-runs.db"]);
    for (const name of [
      "one-area",
      "half-moved",
      "schema/completed-runs.db",
      "integrity/completed-runs.db",
    ]) {
      expect(checkOf(diagnosis, name)).toMatchObject({
        ok: null,
        verdict: `not checked: ${completedDb} is damaged, see journal/completed-runs.db`,
        details: { code: "corrupt", databases: [{ file: completedDb }] },
      });
    }
  });
});

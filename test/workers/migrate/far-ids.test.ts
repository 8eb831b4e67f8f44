import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { MigratePayload } from "../../../shared/contract/migrate-payload.ts";
import { parsePayload } from "../../../shared/contract/payload.ts";
import { mergeCache } from "../../../workers/migrate/merge/merge-cache.ts";
import { repairOverwritten } from "../../../workers/migrate/merge/repair-overwritten.ts";
import { checkSource } from "../../../workers/migrate/steps/check-source.ts";
import { checkTarget } from "../../../workers/migrate/steps/check-target.ts";
import {
  assertNothingLost,
  changeInCacheOnly,
  changeInMegatestDbOnly,
  edit,
  farIds,
  fingerprint,
  giveId,
  newArea,
  readColumn,
  recordTables,
  settleTimes,
  temporaryDirectory,
} from "../../support/area.ts";
import {
  buildForTwo,
  closeByHand,
  contextOn,
  migrateByHand,
  seenFromSide,
  takeOverByHand,
} from "../../support/hosts.ts";
import { openToWrite, runReduce, unionOf, withMove } from "../../support/queue.ts";

const largest = 2n ** 63n - 1n;

describe("an area with ids that no JavaScript number holds", () => {
  it.each(farIds)("moves to another homehost row by row, and goes on there: from %d on", async (id) => {
    const root = temporaryDirectory();
    const { area, place } = buildForTwo(root, { unsynced: false });
    for (const table of [...recordTables].reverse()) {
      giveId(area, table, 2, id);
      giveId(area, table, 3, id + 1n);
    }
    changeInCacheOnly(area, 1);
    changeInMegatestDbOnly(area, 1);
    const before = unionOf(area);
    await migrateByHand({ ...place, jobId: "m-1" });
    const there = seenFromSide(area, root, "new");
    assertNothingLost(before, unionOf(there), { anyLastUpdate: true });
    const { result } = await runReduce(there);
    expect(result.moved.runs).toBe(3);
    assertNothingLost(before, unionOf(there), { anyLastUpdate: true });
  });

  it.each(recordTables.slice(0, 4))(
    "is refused by name with nothing changed if there is no room for the gap: %s",
    async (table) => {
      const root = temporaryDirectory();
      const { area, place } = buildForTwo(root, { unsynced: false });
      giveId(area, table, 2, largest - 999_999n);
      const before = fingerprint(root);
      const options = { ...place, jobId: "m-1" };
      const payload = { v: 1, area: place.area, requestedBy: "a@b", step: "check" } as const;
      const refused = { code: "ids-used-up" };
      await expect(
        checkSource(
          { ...payload, version: "0.0.0", quietFor: 0, stopped: [] } as never,
          contextOn("old", options),
        ),
      ).rejects.toMatchObject(refused);
      const asked = parsePayload("migrate", { v: 1, area: place.area, to: "host-new" });
      await expect(checkTarget(asked as MigratePayload, contextOn("new", options))).rejects.toMatchObject(
        refused,
      );
      await expect(closeByHand(options)).rejects.toMatchObject(refused);
      await expect(takeOverByHand(options)).rejects.toMatchObject(refused);
      expect(fingerprint(root)).toEqual(before);
    },
  );
});

describe("a divergent cache with ids that no JavaScript number holds", () => {
  it.each(farIds)("comes home with all that was written to it: from %d on", async (id) => {
    const home = newArea({ runs: 4, testsPerRun: 3, inFlight: 0, unsynced: false });
    for (const table of [...recordTables].reverse()) giveId(home, table, 2, id);
    const [divergent, base] = [join(home.directory, "stray.db"), join(home.directory, "stray-ref.db")];
    copyFileSync(home.cacheDb, divergent);
    copyFileSync(home.refDb, base);
    openToWrite(divergent, (db) => {
      db.exec(`UPDATE tests SET comment = 'stray' WHERE run_id = ${id};
        INSERT INTO runs (id, runname) VALUES (${id + 1n}, 'new');
        INSERT INTO tests (id, run_id, testname, item_path, state) VALUES (${id + 1n}, ${id + 1n}, 't', '', 'COMPLETED');
        INSERT INTO test_steps (id, test_id, stepname, state) VALUES (${id + 1n}, ${id + 1n}, 's', 'end');
        INSERT INTO test_rundat (id, test_id, cpuload) VALUES (${id + 1n}, ${id + 1n}, 5)`);
    });
    settleTimes(home);
    const merged = await withMove(home, async (session) => {
      const first = await mergeCache({ session, divergent, base });
      expect((await mergeCache({ session, divergent, base })).merged).toBe(0);
      await repairOverwritten(session);
      return first;
    });
    expect(merged).toEqual({ merged: 7, kept: 0 });
    for (const file of [home.cacheDb, home.refDb, home.megatestDb]) {
      expect(readColumn(file, "SELECT count(*) FROM tests WHERE comment = 'stray'")).toEqual([3]);
      const found = `SELECT CAST(t.id AS TEXT) FROM runs AS r JOIN tests AS t ON t.run_id = r.id
        JOIN test_steps AS s ON s.test_id = t.id WHERE r.runname = 'new'`;
      expect(readColumn(file, found)).toEqual([String(id + 1n)]);
    }
  });

  it("gets an id below all others in a table that never syncs, where the largest is used at home", async () => {
    const home = newArea({ runs: 4, testsPerRun: 3, inFlight: 0, unsynced: false });
    giveId(home, "test_rundat", 2, largest, ["cache"]);
    const divergent = join(home.directory, "stray.db");
    copyFileSync(home.cacheDb, divergent);
    const added = "INSERT INTO test_rundat (id, test_id, cpuload) VALUES (900, 2, ";
    openToWrite(divergent, (db) => db.exec(`${added} 71)`));
    edit(home, ["cache"], (db) => db.exec(`${added} 72)`));
    await withMove(home, async (session) => {
      const o = { session, divergent, base: undefined };
      expect((await mergeCache(o)).merged).toBe(1);
    });
    expect(
      readColumn(home.cacheDb, "SELECT id FROM test_rundat WHERE cpuload IN (71, 72) ORDER BY id"),
    ).toEqual([0, 900]);
  });
});

import { rmSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { JobsError } from "../../../shared/errors.ts";
import { quoteText } from "../../../shared/sqlite/connection.ts";
import type { FailpointName } from "../../../workers/area-db/failpoint-names.ts";
import {
  completedColumn,
  edit,
  everywhere,
  makeRefillDue,
  newArea,
  type Place,
  readColumn,
} from "../../support/area.ts";
import { firstTime, run2, runReduce, runRestore, skippedBy } from "../../support/queue.ts";

const at = (step: FailpointName, act: () => void) => ({ failpoint: firstTime(step, act) });

const die = () => {
  throw new JobsError("stopped", "died");
};

const comment = (text: string) => `UPDATE tests SET comment = ${quoteText(text)} WHERE run_id = 2`;
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

/** What a refill does: the cache gets megatest.db's rows of run 2. */
function bringBack(area: SampleArea): void {
  edit(area, ["cache"], (db) => {
    db.prepare("ATTACH ? AS area").run(area.megatestDb);
    for (const table of ["runs", "tests", "test_steps", "test_data"]) {
      const of =
        { runs: "id = 2", tests: "run_id = 2" }[table] ??
        "test_id IN (SELECT id FROM area.tests WHERE run_id = 2)";
      db.exec(`INSERT INTO main.${table} SELECT * FROM area.${table} WHERE ${of}`);
    }
  });
}

const reduce2 = { runname: undefined, runId: [2] };
const others = { runname: undefined, runId: [3] };

describe("a value that a client put back counts, although it lost once,", () => {
  it("where the job had kept it when it reconciled a due refill", async () => {
    const area = newArea({ runs: 4, inFlight: 0, unsynced: false });
    edit(area, everywhere, (db) => db.exec(comment("cache's")));
    edit(area, ["area"], (db) =>
      db.exec(`DROP TRIGGER IF EXISTS update_tests_trigger; ${comment("megatest.db's")};
        UPDATE tests SET last_update = last_update + 100 WHERE run_id = 2`),
    );
    makeRefillDue(area);
    await runReduce(
      area,
      reduce2,
      at("verified", () => write(area, comment("cache's"))),
    );
    expect(copied(area)).toEqual(["cache's"]);
  });

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

describe("a run whose reduce died", () => {
  it("keeps the newest value where a refill brought the older one back after its removal", async () => {
    const area = areaWithUnsyncedComments();
    await expect(runReduce(area, reduce2, at("removed-from-cache", die))).rejects.toThrow("died");
    expect(commentsIn(area.cacheDb)).toEqual([]);
    bringBack(area);
    expect(commentsIn(area.cacheDb)).toEqual(["older"]);
    await runReduce(area, others);
    expect(copied(area)).toEqual(["newer"]);
    expect(commentsIn(area.cacheDb)).toEqual([]);
  });

  it.each(["removing", "committed-in-cache", "removed-from-cache", "removed-from-ref"] as const)(
    "at %s keeps the newest value where the cache was lost",
    async (step) => {
      const area = areaWithUnsyncedComments();
      await expect(runReduce(area, reduce2, at(step, die))).rejects.toThrow("died");
      rmSync(dirname(area.cacheDb), { recursive: true });
      await runReduce(area, others);
      expect(copied(area)).toEqual(["newer"]);
    },
  );

  it.each<[string, Place, string]>([
    ["a client then wrote to the cache", "cache", "UPDATE tests SET final_logf = 'x.html' WHERE run_id = 2"],
    ["megatest.db had another since the copy", "area", "UPDATE tests SET comment = 'other' WHERE run_id = 2"],
  ])("keeps the newest value after a refill where %s", async (_, place, sql) => {
    const area = areaWithUnsyncedComments();
    await expect(runReduce(area, reduce2, at("removed-from-ref", die))).rejects.toThrow("died");
    const change = () => edit(area, [place], (db) => db.exec(sql));
    if (place === "area") change();
    bringBack(area);
    if (place === "cache") change();
    await runReduce(area, others);
    const all = completedColumn(
      area,
      "SELECT comment FROM tests WHERE run_id = 2 UNION ALL SELECT row FROM mtjobs_superseded WHERE table_name = 'tests'",
    );
    expect(all.join()).toContain("newer");
  });
});

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { listRuns } from "../../../producers/areas/list-runs.ts";
import { OldestRuns } from "../../../producers/areas/oldest-run.ts";
import { areaStatus } from "../../../producers/areas/status.ts";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { openArea } from "../../../shared/area/area.ts";
import { foldName, NameSet } from "../../../shared/sqlite/names.ts";
import { tokenize } from "../../../shared/sqlite/tokens.ts";
import {
  assertNothingLost,
  completedColumn,
  constrain,
  diagnoseArea,
  edit,
  faultsOf,
  makeRefillDue,
  newArea,
  placeOf,
  readColumn,
  settleTimes,
  temporaryDirectory,
} from "../../support/area.ts";
import { buildForTwo, migrateByHand, seenFromSide } from "../../support/hosts.ts";
import { reduceSafely, runReduce, runRepair, runRestore, unionOf } from "../../support/queue.ts";

const small = () => newArea({ runs: 4, inFlight: 1, unsynced: false, testsPerRun: 3 });

/** `[fields]` in capital letters over columns in small ones. */
function capitalizeFields({ directory }: Pick<SampleArea, "directory">): void {
  const file = join(directory, "megatest.config");
  const text = readFileSync(file, "utf8");
  writeFileSync(
    file,
    text.replace(/^(sysname|fsname|datapath)\b/gm, (key) => key.toUpperCase()),
  );
}

/** Columns as each database may have them in its own way. */
function respell(area: SampleArea): void {
  constrain(area, ["cache"], "runs", /event_time/, "Event_Time");
  constrain(area, ["cache"], "runs", /"sysname" TEXT/, `"SysName" TEXT`);
  constrain(area, ["area"], "runs", /state/, "STATE");
  constrain(area, ["cache", "ref"], "tests", /event_time/, "EVENT_TIME");
  constrain(area, ["area"], "tests", /archived/, "Archived");
  constrain(area, ["cache"], "tests", /last_update/, "LAST_UPDATE");
  constrain(area, ["area", "ref"], "test_steps", /stepname/, "StepName");
  constrain(area, ["area"], "test_data", /\(id INTEGER/, "(ID INTEGER");
  constrain(area, ["cache"], "test_data", /test_id INTEGER/, "TEST_ID INTEGER");
  constrain(area, ["area"], "extradat", /run_id/, "Run_Id");
  for (const [place, name] of [
    ["cache", "Site"],
    ["ref", "SITE"],
    ["area", "site"],
  ] as const)
    edit(area, [place], (db) =>
      db.exec(`ALTER TABLE tests ADD COLUMN ${name} TEXT; UPDATE tests SET site = 'of ' || id`),
    );
  settleTimes(area);
}

describe("names of columns are compared as SQLite compares them", () => {
  it("where [fields] spells its keys in capital letters: runs move with their targets, and every view has them", async () => {
    const area = small();
    capitalizeFields(area);
    const targets = await listed(area);
    expect(targets[0]).toMatch(/^[^/]+\/[^/]+\/[^/]+$/);
    expect(faultsOf(await diagnoseArea(area))).toEqual([]);
    const { result } = await reduceSafely(area, { target: "%/%/%" });
    expect(result.moved.runs).toBe(3);
    expect(result.runs.map(({ target }) => target)).toEqual(targets.slice(0, 3));
    expect(await listed(area, true)).toEqual(targets);
    settleTimes(area);
    const status = await areaStatus(area.directory, placeOf(area));
    expect(status.sides?.["completed-runs.db"]?.newest?.target).toBe(targets[2]);
    expect(new OldestRuns().of(openArea(area.directory), Date.now() + 1e9)).not.toBeNull();
    expect(faultsOf(await diagnoseArea(area))).toEqual([]);
    expect((await runRestore(area)).result.moved.runs).toBe(3);
    expect(await listed(area)).toEqual(targets);
  });

  it("where each database spells its columns in its own way: nothing is lost out and back, late or after a refill", async () => {
    const area = small();
    capitalizeFields(area);
    respell(area);
    const { before, result } = await reduceSafely(area);
    expect([result.moved.runs, result.superseded, result.warnings]).toEqual([3, 0, []]);
    expect(completedColumn(area, "SELECT count(*) FROM tests WHERE site IS NOT 'of ' || id")).toEqual([0]);
    edit(area, ["cache"], (db) => {
      db.exec("INSERT INTO tests (run_id, testname, state, site) VALUES (2, 'late', 'COMPLETED', 'of late')");
      db.exec("UPDATE tests SET comment = 'cache' WHERE run_id = 4");
    });
    expect((await runReduce(area)).result.late).toBe(1);
    expect(completedColumn(area, "SELECT site FROM tests WHERE testname = 'late'")).toEqual(["of late"]);
    makeRefillDue(area);
    await runRepair(area);
    expect(readColumn(area.megatestDb, "SELECT DISTINCT comment FROM tests WHERE run_id = 4")).toContain(
      "cache",
    );
    expect(faultsOf(await diagnoseArea(area))).toEqual([]);
    expect((await runRestore(area)).result.moved.runs).toBe(3);
    assertNothingLost(before, unionOf(area), {
      anyLastUpdate: true,
      newRecords: true,
      mayChange: () => true,
    });
    expect(await listed(area)).toHaveLength(4);
  });

  it("the area moves to another homehost even if they differ", async () => {
    const root = temporaryDirectory();
    const { area, place } = buildForTwo(root, { unsynced: false });
    capitalizeFields(area);
    respell(area);
    const before = unionOf(area);
    await migrateByHand({ ...place, jobId: "m-1" });
    const there = seenFromSide(area, root, "new");
    assertNothingLost(before, unionOf(there), { anyLastUpdate: true });
    expect((await runReduce(there)).result.moved.runs).toBe(3);
  });

  it("and letters beyond ASCII are no others': two columns that differ by one of those stay two", async () => {
    const area = small();
    edit(area, ["cache"], (db) =>
      db.exec("ALTER TABLE tests ADD COLUMN größe TEXT; UPDATE tests SET größe = 'g'"),
    );
    edit(area, ["area"], (db) =>
      db.exec(
        "ALTER TABLE tests ADD COLUMN GRÖSSE TEXT; ALTER TABLE tests ADD COLUMN GRÖßE TEXT; UPDATE tests SET GRÖßE = 'G'",
      ),
    );
    const { result } = await reduceSafely(area);
    expect(result.moved.runs).toBe(3);
    expect(completedColumn(area, "SELECT DISTINCT größe FROM tests")).toEqual(["g"]);
    expect(completedColumn(area, `SELECT DISTINCT "GRÖßE" FROM tests`)).toEqual(["G"]);
    expect(foldName("GRÖßE İd")).toBe("grÖße İd");
    expect(tokenize("select größe").map(({ value }) => value)).toEqual(["SELECT", "GRößE"]);
    expect(new NameSet(["Id", "É"]).has("ID")).toBe(true);
    expect(new NameSet(["Id", "É"]).has("é")).toBe(false);
  });
});

async function listed(area: SampleArea, fullDb = false): Promise<string[]> {
  const list = await listRuns(area.directory, { fullDb }, placeOf(area));
  try {
    return [...list.runs()].sort((a, b) => Number(a.id) - Number(b.id)).map(({ target }) => target);
  } finally {
    list.close();
  }
}

import { describe, expect, it } from "vitest";
import { checkSource } from "../../../workers/migrate/steps/check-source.ts";
import {
  assertNothingLost,
  checkOf,
  cleanUp,
  constrain,
  diagnoseArea,
  edit,
  everywhere,
  fileOf,
  fingerprint,
  newArea,
  readRows,
  settleTimes,
  syncOnce,
  temporaryDirectory,
} from "../../support/area.ts";
import { buildForTwo, closeByHand, contextOn, migrateByHand, seenFromSide } from "../../support/hosts.ts";
import { movedIds, reduceSafely, runReduce, runRestore, skippedBy, unionOf } from "../../support/queue.ts";

const tables = ["runs", "tests", "test_steps", "test_data"] as const;
const nameColumns = { runs: "runname", tests: "testname", test_steps: "stepname", test_data: "variable" };

/** The rows of mtjobs in a database, by table. */
const ours = (file: string, name: string) =>
  tables.map((table) => readRows(file, `SELECT * FROM ${table} WHERE ${nameColumns[table]} = ?`, name));

const small = () => newArea({ runs: 4, inFlight: 0, unsynced: false, testsPerRun: 3 });

/** What a site may ask of each row of a table, as it stands in the table's definition. */
const allowing: Record<string, readonly (readonly [table: string, from: RegExp, to: string])[]> = {
  "NOT NULL on the test of a step and a datum": [
    ["test_steps", /test_id INTEGER/, "test_id INTEGER NOT NULL"],
    ["test_data", /test_id INTEGER/, "test_id INTEGER NOT NULL CHECK (test_id > 0)"],
  ],
  "no empty text, and no 0": [
    ["runs", /owner TEXT DEFAULT ''/, "owner TEXT DEFAULT 'nobody' NOT NULL CHECK (owner <> '')"],
    ["runs", /"sysname" TEXT/, `"sysname" TEXT NOT NULL CHECK (length("sysname") > 0)`],
    ["tests", /cpuload REAL DEFAULT -1/, "cpuload REAL DEFAULT -1 NOT NULL CHECK (cpuload <> 0)"],
    ["tests", /host TEXT DEFAULT 'n\/a'/, "host TEXT DEFAULT 'n/a' NOT NULL CHECK (host <> '')"],
  ],
  "values of a list, and a time that a clock of 32 bits shows": [
    ["runs", /"fsname" TEXT/, `"fsname" TEXT CHECK ("fsname" IN ('nfs', 'lustre'))`],
    ["tests", /event_time TIMESTAMP/, "event_time TIMESTAMP CHECK (event_time BETWEEN 0 AND 2147483647)"],
    [
      "test_steps",
      /status TEXT DEFAULT 'n\/a'/,
      "status TEXT DEFAULT 'n/a' NOT NULL CHECK (status IN ('n/a', '-', '0', '1', '2'))",
    ],
  ],
  "a short comment": [
    ["tests", /comment TEXT DEFAULT ''/, "comment TEXT DEFAULT '' CHECK (length(comment) < 60)"],
  ],
};

describe("a site's constraints on each row of a table", () => {
  it.each(Object.entries(allowing))(
    "are kept by the rows that guard ids, and all moves: %s",
    async (_, rules) => {
      const area = small();
      for (const [table, from, to] of rules) constrain(area, everywhere, table, from, to);
      const { before, result } = await reduceSafely(area, { runname: undefined, runId: [2, 3, 4] });
      expect(result.moved.runs).toBe(3);
      const guards = everywhere.map((place) => ours(fileOf(area, place), "mtjobs-id-guard"));
      expect(guards[0]?.flat()).toHaveLength(4);
      for (const other of guards) expect(other).toEqual(guards[0]);
      settleTimes(area);
      expect((await syncOnce(area, { quietMs: 0 })).rows).toEqual({});
      cleanUp(everywhere.map((place) => fileOf(area, place)));
      settleTimes(area);
      await runReduce(area, { runname: "none" });
      expect(ours(area.cacheDb, "mtjobs-id-guard").flat()).toHaveLength(4);
      expect((await runRestore(area)).result.moved.runs).toBe(3);
      assertNothingLost(before, unionOf(area), { anyLastUpdate: true });
    },
  );

  it("of target keys to a list are kept where all runs have moved, whatever is left of the guards", async () => {
    const area = small();
    const [from, to] = [/"fsname" TEXT/, `"fsname" TEXT NOT NULL CHECK ("fsname" IN ('nfs', 'lustre'))`];
    constrain(area, everywhere, "runs", from, to);
    const { before } = await reduceSafely(area);
    expect((await runRestore(area, { runname: undefined, runId: [1] })).result.moved.runs).toBe(1);
    expect((await runReduce(area)).result.moved.runs).toBe(1);
    cleanUp(everywhere.map((place) => fileOf(area, place)));
    settleTimes(area);
    expect((await runRestore(area)).result.moved.runs).toBe(4);
    assertNothingLost(before, unionOf(area), { anyLastUpdate: true });
  });

  it.each(Object.entries(allowing))("are kept by the gap that a migration leaves: %s", async (_, rules) => {
    const root = temporaryDirectory();
    const { area, place } = buildForTwo(root, { unsynced: false });
    for (const [table, from, to] of rules) constrain(area, everywhere, table, from, to);
    await migrateByHand({ ...place, jobId: "m-1" });
    const there = seenFromSide(area, root, "new");
    expect(ours(there.cacheDb, "mtjobs-id-gap").flat()).toHaveLength(4);
    expect(ours(there.refDb, "mtjobs-id-gap")).toEqual(ours(there.cacheDb, "mtjobs-id-gap"));
    expect((await runReduce(there)).result.moved.runs).toBeGreaterThan(0);
  });

  it.each([
    [
      "tests",
      /state TEXT DEFAULT 'NOT_STARTED'/,
      "state TEXT DEFAULT 'NOT_STARTED' CHECK (state <> 'DELETED')",
      /CHECK/,
    ],
    ["runs", /runname TEXT/, "runname TEXT CHECK (runname LIKE 'w%')", /CHECK/],
    ["test_steps", /test_id INTEGER/, "test_id INTEGER CHECK (test_id BETWEEN 1 AND 9999999)", undefined],
    [
      "test_data",
      /test_id INTEGER/,
      "test_id INTEGER NOT NULL CHECK (test_id BETWEEN 1 AND 9999999)",
      /NOT NULL/,
    ],
  ] as const)(
    "that no row of mtjobs can satisfy refuse job and dry run alike, by name, with nothing changed: %s",
    async (table, from, to, refused) => {
      const area = small();
      constrain(area, ["area"], table, from, to);
      if (refused === undefined) {
        // NULL passes any CHECK that does not ask for it.
        expect((await runReduce(area)).result.moved.runs).toBe(4);
        return;
      }
      const before = fingerprint(area.directory, area.cacheRoot);
      const error = {
        code: "unknown-schema",
        message: expect.stringMatching(
          new RegExp(
            `^table ${table} of ${area.megatestDb} rejects the row that guards ids: .*${refused.source}`,
          ),
        ),
        details: { file: area.megatestDb, table },
      };
      await expect(runReduce(area, { dryRun: true })).rejects.toMatchObject(error);
      await expect(runReduce(area)).rejects.toMatchObject(error);
      expect(checkOf(await diagnoseArea(area), "site-schema")).toMatchObject({
        ok: false,
        verdict: error.message,
      });
      expect(fingerprint(area.directory, area.cacheRoot)).toEqual(before);
    },
  );

  it("that a row of another one's meets first are seen as well: a unique index on what ours would hold", async () => {
    const area = small();
    edit(area, everywhere, (db) => {
      db.exec("UPDATE runs SET owner = id; CREATE UNIQUE INDEX site_owner ON runs (owner)");
      db.exec("CREATE UNIQUE INDEX site_state ON runs (state) WHERE state = 'deleted'");
      db.exec("INSERT INTO runs (id, runname, state, owner) VALUES (99, 'gone', 'deleted', 'somebody')");
    });
    const error = { code: "unknown-schema", message: expect.stringContaining("site_state") };
    await expect(runReduce(area, { dryRun: true })).rejects.toMatchObject(error);
    await expect(runReduce(area)).rejects.toMatchObject(error);
    edit(area, everywhere, (db) => db.exec("DROP INDEX site_state"));
    expect((await runReduce(area)).result.moved.runs).toBe(4);
  });

  it.each([
    ["CHECK", /comment TEXT DEFAULT ''/, "comment TEXT DEFAULT '' CHECK (length(comment) < 60)"],
    ["NOT NULL", /host TEXT DEFAULT 'n\/a'/, "host TEXT DEFAULT 'n/a' NOT NULL"],
    ["UNIQUE", undefined, "CREATE UNIQUE INDEX site_uname ON tests (uname) WHERE uname = 'taken'"],
  ] as const)(
    "that came since a run moved keep it in completed-runs.db, and a warning has SQLite's words: %s",
    async (kind, from, to) => {
      const area = small();
      edit(area, everywhere, (db) => {
        db.exec(
          "UPDATE tests SET comment = hex(zeroblob(40)), host = NULL, uname = 'taken' WHERE id IN (SELECT min(id) FROM tests WHERE run_id IN (2, 4) GROUP BY run_id)",
        );
      });
      await runReduce(area, { runname: undefined, runId: [1, 2, 3] });
      if (from === undefined) edit(area, ["cache"], (db) => db.exec(to));
      else {
        edit(area, ["cache"], (db) => db.exec("UPDATE tests SET comment = '', host = 'h'"));
        constrain(area, ["cache"], "tests", from, to);
      }
      const before = unionOf(area);
      const { result } = await runRestore(area);
      expect(skippedBy(result)).toEqual({ 2: "changed" });
      expect(movedIds(result)).toEqual([1, 3]);
      expect(result.warnings).toEqual([
        expect.stringMatching(
          new RegExp(
            `^run 2 \\(.*\\) was not restored: the cache rejects its rows \\(${kind} constraint failed: `,
          ),
        ),
      ]);
      assertNothingLost(before, unionOf(area));
    },
  );

  it("that allow a guard and no gap refuse the migration alone, in its check and as it closes", async () => {
    const root = temporaryDirectory();
    const { area, place } = buildForTwo(root, { unsynced: false });
    constrain(
      area,
      everywhere,
      "runs",
      /id INTEGER PRIMARY KEY/,
      "id INTEGER PRIMARY KEY CHECK (id < 100000)",
    );
    const before = fingerprint(root);
    const payload = {
      v: 1,
      area: place.area,
      requestedBy: "a@b",
      step: "check",
      quietFor: 0,
      version: "0.1.0",
    } as const;
    const error = { code: "unknown-schema", message: expect.stringMatching(/^table runs of .*CHECK/) };
    await expect(
      checkSource(payload as never, contextOn("old", { ...place, jobId: "m-1" })),
    ).rejects.toMatchObject(error);
    await expect(closeByHand({ ...place, jobId: "m-1" })).rejects.toMatchObject(error);
    expect(fingerprint(root)).toEqual(before);
    expect((await runReduce(area)).result.moved.runs).toBeGreaterThan(0);
  });
});

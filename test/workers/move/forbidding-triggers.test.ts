import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { Remover } from "../../../workers/move/sources/remove-runs.ts";
import { SourceSession } from "../../../workers/move/sources/source-session.ts";
import { indexChildren } from "../../../workers/records/child-index.ts";
import {
  assertNothingLost,
  completedColumn,
  edit,
  everywhere,
  fileOf,
  makeRefillDue,
  newArea,
  readColumn,
} from "../../support/area.ts";
import { runReduce, runRepair, unionOf, withMove } from "../../support/queue.ts";

type Kind = (table: string, event: string) => string;

/** What a site's trigger may do to a change that is none of its business. */
const kinds: Record<string, Kind> = {
  "ignores a change": (table, event) =>
    `CREATE TRIGGER site_${event}_${table} BEFORE ${event} ON ${table} BEGIN SELECT RAISE(IGNORE); END`,
  "forbids a change": (table, event) =>
    `CREATE TRIGGER site_${event}_${table} BEFORE ${event} ON ${table} BEGIN SELECT RAISE(ABORT, 'never'); END`,
  "writes to a table that is gone": (table, event) =>
    `CREATE TRIGGER site_${event}_${table} AFTER ${event} ON ${table} BEGIN INSERT INTO gone VALUES (1); END`,
  "breaks a rule of its own": (table, event) =>
    `CREATE TRIGGER site_${event}_${table} AFTER ${event} ON ${table} BEGIN INSERT INTO site_log VALUES (NULL); END`,
};
const tables = ["runs", "tests", "test_steps", "test_data", "keys", "metadat"];

const small = () => newArea({ runs: 3, inFlight: 1, unsynced: false, testsPerRun: 3 });

function forbid(area: SampleArea, kind: Kind, events: readonly string[]): void {
  const sql = events.flatMap((event) => tables.map((table) => kind(table, event)));
  edit(area, everywhere, (db) => {
    db.exec("CREATE TABLE IF NOT EXISTS site_log (what TEXT NOT NULL)");
    db.exec(sql.join(";\n"));
  });
}

const siteTriggers = (file: string) =>
  readColumn(file, "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND name LIKE '%site%'");

describe("a trigger that", () => {
  it.each(Object.entries(kinds))(
    "%s keeps no row from being settled after a refill that was due",
    async (_, kind) => {
      const area = small();
      // A change in each place that the other one lacks.
      edit(area, ["cache"], (db) => {
        db.exec("UPDATE tests SET comment = 'from the cache' WHERE run_id = 3");
        db.exec("INSERT INTO tests (id, run_id, testname, state) VALUES (901, 3, 'cache', 'RUNNING')");
      });
      edit(area, ["area"], (db) =>
        db.exec("INSERT INTO tests (id, run_id, testname, state) VALUES (902, 3, 'area', 'RUNNING')"),
      );
      forbid(area, kind, ["INSERT", "UPDATE", "DELETE"]);
      makeRefillDue(area);
      const before = unionOf(area);
      expect((await runRepair(area)).result.state).toBe("completed");
      for (const file of [area.cacheDb, area.megatestDb]) {
        expect(readColumn(file, "SELECT id FROM tests WHERE id > 900 ORDER BY id")).toEqual([901, 902]);
        expect(readColumn(file, "SELECT DISTINCT comment FROM tests WHERE run_id = 3 AND id < 900")).toEqual([
          "from the cache",
        ]);
        expect(siteTriggers(file)).toEqual([18]);
      }
      expect((await runReduce(area)).result.moved.runs).toBe(2);
      assertNothingLost(before, unionOf(area), { anyLastUpdate: true, newRecords: true });
    },
  );

  it("forbids a change and is named like one of mtjobs is set aside, too, and reported by the dry run", async () => {
    const area = small();
    edit(area, everywhere, (db) =>
      db.exec(
        "CREATE TRIGGER mtjobs_closed_site BEFORE DELETE ON tests BEGIN SELECT RAISE(ABORT, 'never'); END",
      ),
    );
    const dry = await runReduce(area, { dryRun: true });
    const { result } = await runReduce(area);
    expect(result.moved.runs).toBe(2);
    expect(result.warnings).toEqual([
      expect.stringMatching(
        /^trigger mtjobs_closed_site may reject .* disabled .*megatest.db, .*megatest_ref.db, .*megatest.db\)$/,
      ),
    ]);
    expect(dry.result.warnings).toEqual(result.warnings);
    expect(completedColumn(area, "SELECT DISTINCT state FROM mtjobs_runs")).toEqual(["moved"]);
    for (const place of everywhere) expect(siteTriggers(fileOf(area, place))).toEqual([1]);
  });
});

describe("rows that a removal leaves behind", () => {
  it.each(["tests", "test_steps", "runs", "extradat"])(
    "undo it and end the job with their table's name: %s",
    async (table) => {
      const area = small();
      const stopped = runReduce(
        area,
        {},
        {
          failpoint: (step) => {
            if (step === "removing") throw new Error("stopped");
          },
        },
      );
      await expect(stopped).rejects.toThrow("stopped");
      const count = () => readColumn(area.cacheDb, `SELECT count(*) FROM ${table}`);
      const before = count();
      await withMove(area, async (session) => {
        const { db, plans, token, context } = session;
        await indexChildren(session, "cache");
        // Only this connection knows of it, so that no other can set it aside.
        db.exec(
          `CREATE TEMP TRIGGER keeps BEFORE DELETE ON cache.${table} WHEN old.id > 0 BEGIN SELECT RAISE(IGNORE); END`,
        );
        const source = new SourceSession({
          ...{ db, plans, token, part: "cache", fresh: "cache", jobId: context.jobId },
          signal: context.signal,
          stop: context.signal,
          beforeSlice: async () => {},
          failpoint: () => {},
        });
        const remover = new Remover(source);
        await expect(remover.remove({ runs: [1n, 2n], mergeChanged: true })).rejects.toMatchObject({
          code: "unknown-schema",
          message: expect.stringMatching(
            new RegExp(`^\\d+ rows? of table ${table} cannot be deleted from .*megatest.db`),
          ),
          details: { table },
        });
      });
      expect(count()).toEqual(before);
      // The trigger went with its connection: the next job finishes what was begun.
      expect((await runReduce(area)).result.moved.runs).toBeGreaterThanOrEqual(0);
      expect(completedColumn(area, "SELECT DISTINCT state FROM mtjobs_runs")).toEqual(["moved"]);
    },
  );
});

import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { quietReport } from "../../../workers/migrate/checks/quiescence.ts";
import { edit, everywhere, filesOf, newArea, type Place } from "../../support/area.ts";

const minute = 60;
const now = Math.floor(Date.now() / 1000) * 1000;
const ago = (seconds: number) => now / 1000 - seconds;

/** An area whose databases agree and whose last activity was long ago. */
function quietArea(): SampleArea {
  const area = newArea({ runs: 3, testsPerRun: 3, inFlight: 0, unsynced: false });
  edit(area, everywhere, (db) => {
    // Megatest's own triggers would say that it happened now.
    for (const { name } of db.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").all() as {
      name: string;
    }[])
      db.exec(`DROP TRIGGER ${name}`);
    for (const table of ["runs", "tests", "test_steps"])
      db.prepare(`UPDATE ${table} SET event_time = ?`).run(ago(7 * 86_400));
    for (const table of ["runs", "tests", "test_steps", "test_data"])
      db.prepare(`UPDATE ${table} SET last_update = ?`).run(ago(5));
    db.exec("UPDATE tests SET run_duration = 60, state = 'COMPLETED', uname = 'Linux'");
  });
  return area;
}

const report = (area: SampleArea, options: object = {}) => {
  const { megatestDb, cacheDb, refDb, completedDb } = filesOf(area);
  if (cacheDb === undefined || refDb === undefined) throw new Error("an area without a cache");
  const files = { area: megatestDb, cache: cacheDb, ref: refDb, completed: completedDb };
  return quietReport({
    files,
    quietForMs: 30 * minute * 1000,
    now,
    skewMs: 0,
    signal: new AbortController().signal,
    ...options,
  });
};

const verdicts = async (area: SampleArea) =>
  (await report(area)).checks.map(({ name, ok }) => `${name} ${ok}`);

/** Sets a test's state, when it began, and for how long it ran when it last reported. */
const setTest = (area: SampleArea, places: readonly Place[], state: string, began: number, duration = 0) =>
  edit(area, places, (db) =>
    db
      .prepare(`UPDATE tests SET state = ?, event_time = ?, run_duration = ?, last_update = 0 WHERE id = 1`)
      .run(state, began, duration),
  );

describe("an area is quiet", () => {
  it("where all databases agree and nothing happened lately, though a sync ran a moment ago", async () => {
    const area = quietArea();
    expect(await report(area)).toEqual({
      checks: [
        expect.objectContaining({ name: "tests", ok: true }),
        expect.objectContaining({ name: "activity", ok: true }),
      ],
    });
  });

  it.each(["RUNNING", "LAUNCHED", "REMOTEHOSTSTART"])(
    "with a test that is stuck in %s, which is counted",
    async (state) => {
      const area = quietArea();
      setTest(area, everywhere, state, ago(5 * 3600), 3600);
      const { checks, earliestAt } = await report(area);
      expect(checks[0]).toMatchObject({
        ok: true,
        facts: { running: 0, stuck: 1, stuckTests: [{ run: 1, state }] },
      });
      expect(earliestAt).toBeUndefined();
    },
  );

  it("with the summary row of an itemized test that says it runs", async () => {
    const area = quietArea();
    edit(area, everywhere, (db) => {
      db.exec(`UPDATE tests SET uname = 'n/a', item_path = '' WHERE id = 1;
        UPDATE tests SET testname = (SELECT testname FROM tests WHERE id = 1), item_path = 'a/b' WHERE id = 2`);
    });
    setTest(area, everywhere, "RUNNING", ago(3600));
    expect((await report(area)).checks[0]).toMatchObject({ ok: true, facts: { stuck: 0 } });
  });

  it("where megatest.db alone still says what the cache has corrected since", async () => {
    const area = quietArea();
    setTest(area, everywhere, "RUNNING", ago(3600), 3500);
    setTest(area, ["cache"], "COMPLETED", ago(86_400));
    expect(await verdicts(area)).toEqual(["tests true", "activity true"]);
  });
});

describe("an area is not quiet", () => {
  it.each(["RUNNING", "LAUNCHED", "REMOTEHOSTSTART"])(
    "while a test in %s showed a sign of life lately",
    async (state) => {
      const area = quietArea();
      setTest(area, ["cache"], state, ago(3600), 3600 - 10 * minute);
      expect(await verdicts(area)).toEqual(["tests false", "activity false"]);
      expect((await report(area)).earliestAt).toBe(now + 20 * minute * 1000 + 1000);
      expect((await report(area)).checks[0]).toMatchObject({
        facts: { running: 1, tests: [{ run: 1, state }] },
      });
    },
  );

  it.each([
    ["a run began", ["cache"], "UPDATE runs SET last_update = 0, event_time = ? WHERE id = 2"],
    [
      "a test began",
      ["cache"],
      "UPDATE tests SET last_update = 0, run_duration = 0, event_time = ? WHERE id = 5",
    ],
    ["a step was reported", ["cache"], "UPDATE test_steps SET last_update = 0, event_time = ? WHERE id = 3"],
    ["a client wrote to a test", ["cache"], "UPDATE tests SET comment = 'x', last_update = ? WHERE id = 5"],
    ["a client wrote to a run", ["cache"], "UPDATE runs SET comment = 'x', last_update = ? WHERE id = 1"],
    [
      "a client wrote to a measurement",
      ["cache"],
      "UPDATE test_data SET comment = 'x', last_update = ? WHERE id = 1",
    ],
    [
      "megatest.db alone has a newer test",
      ["area"],
      "UPDATE tests SET run_duration = 0, event_time = ? WHERE id = 5",
    ],
  ] as const)("for half an hour after %s", async (_, places, sql) => {
    const area = quietArea();
    edit(area, places, (db) => db.prepare(sql).run(ago(29 * minute)));
    expect(await verdicts(area)).toEqual(["tests true", "activity false"]);
    expect((await report(area)).earliestAt).toBe(now + minute * 1000 + 1000);
    edit(area, places, (db) => db.prepare(sql).run(ago(31 * minute)));
    expect(await verdicts(area)).toEqual(["tests true", "activity true"]);
  });

  it("where a test runs that megatest.db alone has", async () => {
    const area = quietArea();
    setTest(area, everywhere, "RUNNING", ago(60));
    edit(area, ["cache", "ref"], (db) => db.exec("DELETE FROM tests WHERE id = 1"));
    expect((await verdicts(area))[0]).toBe("tests false");
  });

  it("by megatest.db alone without a cache", async () => {
    const area = quietArea();
    setTest(area, ["area"], "RUNNING", ago(60));
    const { megatestDb, completedDb } = filesOf(area);
    const files = { area: megatestDb, completed: completedDb };
    expect((await report(area, { files })).checks[0]?.ok).toBe(false);
  });

  it("where clocks differ, until both say so", async () => {
    const area = quietArea();
    edit(area, ["cache"], (db) =>
      db.prepare("UPDATE runs SET last_update = 0, event_time = ?").run(ago(31 * minute)),
    );
    expect((await report(area, { skewMs: -2 * minute * 1000 })).checks[1]?.ok).toBe(false);
    expect((await report(area, { skewMs: 2 * minute * 1000 })).checks[1]?.ok).toBe(true);
  });
});

describe("times that cannot be", () => {
  it("do not keep an area busy forever, but a test that runs in the future does, and no time is promised", async () => {
    const area = quietArea();
    edit(area, ["cache"], (db) =>
      db.prepare("UPDATE runs SET last_update = 0, event_time = ? WHERE id = 1").run(ago(-86_400 * 365)),
    );
    expect((await report(area)).checks[1]).toMatchObject({ ok: true, facts: { tablesAhead: 1 } });
    setTest(area, ["cache"], "RUNNING", 4e12);
    expect((await report(area)).checks[0]?.ok).toBe(false);
    expect((await report(area)).earliestAt).toBeUndefined();
  });

  it.each([`'${new Date().toISOString()}'`, `${Date.now()}`])(
    "hold it up where a running test has one in another unit, %s: it is not dead by that",
    async (value) => {
      const area = quietArea();
      edit(area, ["cache"], (db) =>
        db.exec(
          `UPDATE tests SET event_time = ${value}, state = 'RUNNING' WHERE id = (SELECT min(id) FROM tests)`,
        ),
      );
      expect((await report(area)).checks[0]).toMatchObject({ ok: false, facts: { running: 1 } });
    },
  );

  it("do not count as times if they are not numbers", async () => {
    const area = quietArea();
    edit(area, ["cache"], (db) =>
      db.exec(
        "UPDATE tests SET last_update = 0, event_time = 'soon', run_duration = x'ff', state = 'RUNNING'",
      ),
    );
    expect((await report(area)).checks[0]).toMatchObject({ ok: true, facts: { stuck: 9 } });
  });
});

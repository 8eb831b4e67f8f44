import { describe, expect, it } from "vitest";
import { listRuns } from "../../../producers/areas/list-runs.ts";
import { areaStatus } from "../../../producers/areas/status.ts";
import { runDocument } from "../../../producers/format/runs.ts";
import { edit, everywhere, firstTestOf, newArea, placeOf } from "../../support/area.ts";
import { movedIds, reduceSafely, runRestore } from "../../support/queue.ts";

const old = {
  runs: 4,
  testsPerRun: 3,
  inFlight: 0,
  unsynced: false,
  days: 400,
  now: Math.floor(Date.now() / 1000) - 90 * 86_400,
};
const monthMs = 30 * 86_400_000;
const odd: [string, string][] = [
  ["ISO text", `'${new Date().toISOString()}'`],
  ["milliseconds", `${Date.now()}`],
  ["a time beyond dates", "9000000000000000000"],
  ["a blob", "x'01'"],
];

function area() {
  const built = newArea(old);
  const then = old.now - 86_400;
  edit(built, everywhere, (db) => {
    db.exec(`UPDATE runs SET event_time = ${then}; UPDATE tests SET event_time = ${then}, run_duration = 60;
      UPDATE test_steps SET event_time = ${then}`);
  });
  return built;
}

describe.each(odd)("a time that is %s", (_, value) => {
  it.each([
    ["its run", () => `UPDATE runs SET event_time = ${value} WHERE id = 2`],
    ["a test", (test: number) => `UPDATE tests SET event_time = ${value} WHERE id = ${test}`],
    ["a step", (test: number) => `UPDATE test_steps SET event_time = ${value} WHERE test_id = ${test}`],
  ])("of %s keeps the run where an age is asked for, and is named", async (_, change) => {
    const a = area();
    edit(a, everywhere, (db) => db.exec(change(firstTestOf(a, 2))));
    const { result } = await reduceSafely(a, { age: monthMs });
    expect(movedIds(result)).toEqual([1, 3, 4]);
    expect(result.skipped).toMatchObject([{ id: 2, reason: "recent" }]);
    expect(result.warnings.join()).toMatch(
      /run 2 .* stays: .*event_time .*is .*(20\d\d-|\d{13}|x?'01').*, which is not a time in seconds; write seconds since 1970 into that row/i,
    );
  });

  it("of a running test does not make it dead", async () => {
    const a = area();
    edit(a, everywhere, (db) =>
      db.exec(`UPDATE tests SET state = 'RUNNING', event_time = ${value} WHERE id = ${firstTestOf(a, 2)}`),
    );
    const { result } = await reduceSafely(a);
    expect(result.skipped).toMatchObject([{ id: 2, reason: "in-flight" }]);
    expect(result.warnings.join()).toMatch(/event_time of test \d+ is .* not a time in seconds/);
  });

  it("keeps neither status nor the list of runs from telling of the area", async () => {
    const a = area();
    edit(a, everywhere, (db) =>
      db.exec(
        `UPDATE runs SET event_time = ${value} WHERE id = 2; UPDATE tests SET event_time = ${value} WHERE run_id = 2`,
      ),
    );
    const status = await areaStatus(a.directory, placeOf(a));
    expect(status).toMatchObject({ runs: 4, problems: [] });
    const list = await listRuns(a.directory, { runId: [2] }, placeOf(a));
    const [run] = [...list.runs()].map(runDocument);
    list.close();
    expect(run).not.toHaveProperty("at");
    expect(run).toHaveProperty("tests.0.testname");
    expect(run).not.toHaveProperty("tests.0.at");
    expect(status.sides["megatest.db"]).toMatchObject({ newest: { id: 2, begunAt: null } });
  });
});

it("keeps a run in completed-runs.db where an age is asked for, and a restore names it", async () => {
  const a = area();
  edit(a, everywhere, (db) => db.exec("UPDATE runs SET event_time = '2020-01-01' WHERE id = 2"));
  expect(movedIds((await reduceSafely(a)).result)).toEqual([1, 2, 3, 4]);
  const { result } = await runRestore(a, { age: monthMs });
  expect(result.skipped).toMatchObject([{ id: 2, reason: "recent" }]);
  expect(result.warnings.join()).toMatch(
    /run 2 .* stays: its event_time is '2020-01-01', which is not a time in seconds; restore it without --age/,
  );
});

it("a number of seconds that an old schema keeps as text is a time", async () => {
  const a = area();
  edit(a, everywhere, (db) => db.exec("UPDATE runs SET event_time = CAST(event_time AS TEXT)"));
  expect(movedIds((await reduceSafely(a, { age: monthMs })).result)).toEqual([1, 2, 3, 4]);
});

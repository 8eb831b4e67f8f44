import type { RunDetail } from "../contract/runs.ts";
import { BoundedList, beginningOf } from "./bounded.ts";
import { browsedRun } from "./browse-runs.ts";
import { findRun, shownTests } from "./browse-tests.ts";
import { idChunks, type OpenedRuns, type Reading, readAll, withRuns } from "./reading.ts";
import { RowReader, startOf } from "./row-reader.ts";

/** Maximum groups of tests in the answer. */
const mostGroups = 100;
/** Groups kept while counting: values may differ in each test. */
const mostKept = 10_000;
/** Bytes of the list of groups, and of that of keys, as JSON. */
const listBytes = 60_000;

/** Returns a run with the number of its tests by state and status. @throws {JobsError} as `withRuns`; `unknown-run` */
export async function browseRun(path: string, runId: string, reading: Reading): Promise<RunDetail> {
  return await withRuns(path, reading, (opened) => {
    const row = findRun(opened, runId);
    const run = browsedRun(row, opened.keys);
    const keys = new BoundedList<[string, string]>(listBytes);
    for (const key of opened.keys)
      if (!keys.add([beginningOf(key), row.text(key, "keys") ?? ""])) row.markCut("keys");
    return {
      area: opened.area,
      source: opened.source,
      run: {
        ...run,
        contour: row.text("contour"),
        lastUpdateAt: row.seconds("mtjobs_updated"),
        keys: Object.fromEntries(keys.rows),
        ...row.cut,
      },
      tests: countTests(opened, BigInt(runId)),
    };
  });
}

type Group = RunDetail["tests"]["groups"][number];

function countTests({ db }: OpenedRuns, runId: bigint): RunDetail["tests"] {
  const statement = `SELECT state, status, count(*) AS tests
    FROM (SELECT ${startOf("state")} AS state, ${startOf("status")} AS status FROM tests AS r
      WHERE r.run_id = ? AND r.id BETWEEN ? AND ? AND ${shownTests}) GROUP BY state, status`;
  const groups = new Map<string, Group>();
  let total = 0;
  for (const range of idChunks(db, { table: "tests", owner: { column: "run_id", id: runId } })) {
    for (const found of readAll(db, statement, runId, ...range)) {
      const row = new RowReader(found);
      const tests = Number(found.tests);
      const [state, status] = [row.text("state"), row.text("status")];
      total += tests;
      const key = JSON.stringify([state, status]);
      const group = groups.get(key);
      if (group !== undefined) group.tests += tests;
      else if (groups.size < mostKept) groups.set(key, { state, status, tests });
    }
  }
  const list = new BoundedList<Group>(listBytes);
  for (const group of [...groups.values()].sort((a, b) => b.tests - a.tests).slice(0, mostGroups))
    if (!list.add(group)) break;
  return { total, groups: list.rows };
}

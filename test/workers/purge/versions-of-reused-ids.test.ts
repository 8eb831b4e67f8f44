import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  changeInMegatestDbOnly,
  completedColumn,
  edit,
  everywhere,
  newArea,
  readRows,
  temporaryDirectory,
} from "../../support/area.ts";
import { atRest, runImport, runPurge, runReduce } from "../../support/queue.ts";

/** The comment of a version that loses against a newer one. */
const older = "an older, word's";

/**
 * An area whose run 1 has moved with a version of one of its tests. Then, as after a clean-up that removed the guards, run
 * 1 is another one, with tests under the same ids.
 *
 * @param testname what the new tests are called; default: as those of the moved run
 */
async function reused(testname?: string) {
  const area = newArea({ ...atRest, runs: 2 });
  const test = changeInMegatestDbOnly(area, 1, older);
  await runReduce(area);
  const tests = readRows(completedDb(area), "SELECT id, testname, item_path FROM tests WHERE run_id = 1");
  edit(area, everywhere, (db) => {
    db.exec(`DELETE FROM runs; DELETE FROM tests; DELETE FROM test_steps; DELETE FROM test_data;
      INSERT INTO runs (id, runname, state, event_time) VALUES (1, 'another', 'COMPLETED', 5)`);
    const add = db.prepare(
      "INSERT INTO tests (id, run_id, testname, item_path, state, event_time) VALUES (?, 1, ?, ?, 'COMPLETED', 5)",
    );
    for (const { id, testname: name, item_path } of tests) add.run(id, testname ?? name, item_path);
  });
  return { area, test };
}

const completedDb = ({ directory }: SampleArea) => join(directory, "completed-runs.db");
const versions = (file: string) =>
  readRows(file, "SELECT table_name, row_id, row, carried FROM mtjobs_superseded");
const newId = (area: SampleArea, table: string, old: number) =>
  completedColumn(
    area,
    `SELECT new_id FROM mtjobs_renumbered WHERE table_name = '${table}' AND old_id = ${old}`,
  )[0];

async function purged(area: SampleArea, run: unknown) {
  const options = { export: temporaryDirectory(), runname: undefined, runId: [String(run)] };
  const { result } = await runPurge(area, options);
  return result.runs[0]?.exportFile ?? "";
}

it.each([undefined, "other"])(
  "a version of a moved row that gets a new id goes with that run, and not with the one that has its ids by now (tests called %s)",
  async (testname) => {
    const { area, test } = await reused(testname);
    await runReduce(area);
    const [run, renamed] = [newId(area, "runs", 1), newId(area, "tests", test)];
    const [kept] = versions(completedDb(area));
    expect(kept?.row_id).toBe(renamed);
    expect(String(kept?.row).split(",").slice(0, 2)).toEqual([String(renamed), String(run)]);
    expect(String(kept?.carried).split(",")[0]).toBe(String(run));

    expect(versions(await purged(area, 1))).toEqual([]);
    expect(versions(completedDb(area))).toEqual([kept]);
    const file = await purged(area, run);
    expect(versions(file)).toEqual([kept]);
    expect(versions(completedDb(area))).toEqual([]);
    await runImport(area, file);
    expect(versions(completedDb(area))).toEqual([kept]);
  },
);

/** Keeps a version of the new test, as a comparison of the databases of the home does before ids are repaired. */
function keepOfNew(area: SampleArea, test: number, jobId: string, name: string): void {
  const db = new Database(completedDb(area));
  db.prepare(
    `INSERT INTO mtjobs_superseded (table_name, row_id, source, reason, job_id, at, columns, row, carried)
     SELECT 'tests', :test, 'area', 'older', :jobId, 1, '["id","run_id","testname","item_path"]',
       :test || ',1,' || quote(coalesce(:name, testname)) || ',' || quote(item_path), '1' FROM tests WHERE id = :test`,
  ).run({ test, jobId, name: name === "" ? null : name });
  db.close();
}

it.each([
  { what: "has another name than the moved row", name: "other", byThisJob: false },
  { what: "was kept by this job, before it repaired the ids", name: "", byThisJob: true },
])(
  "a version of the row that has the ids by now stays with that if it $what",
  async ({ name, byThisJob }) => {
    const { area, test } = await reused(name === "" ? undefined : name);
    const failpoint = (step: string) => {
      if (step !== "brought-together") return;
      const { job_id } = readRows(area.megatestDb, "SELECT job_id FROM mtjobs_fence")[0] ?? {};
      keepOfNew(area, test, byThisJob ? String(job_id) : "a migration", name);
    };
    await runReduce(area, {}, { failpoint });
    const [run, renamed] = [newId(area, "runs", 1), newId(area, "tests", test)];
    expect(versions(completedDb(area)).map(({ row_id }) => row_id)).toEqual([renamed, test]);
    expect(versions(await purged(area, run)).map(({ row_id }) => row_id)).toEqual([renamed]);
    expect(versions(await purged(area, 1)).map(({ row_id }) => row_id)).toEqual([test]);
  },
);

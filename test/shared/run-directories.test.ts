import Database from "better-sqlite3";
import { expect, it } from "vitest";
import { runDirectories } from "../../shared/sqlite/run-directories.ts";

/** The directories of a run r1 of target u/r1 whose tests name these. */
function directories(...rundirs: (string | null)[]): string[] {
  const db = new Database(":memory:");
  db.exec("CREATE TABLE tests (run_id INTEGER, rundir TEXT, shortdir TEXT)");
  for (const rundir of rundirs) db.prepare("INSERT INTO tests VALUES (1, ?, 'n/a')").run(rundir);
  return runDirectories(db, "main", { id: 1n, target: "u/r1", runname: "r1" });
}

it("the directories of a run end with its target and name, and never above another run's", () => {
  expect(directories("/links/u/r1/r1/t1", "/links/u/r1/r1/t2/night")).toEqual(["/links/u/r1/r1"]);
  // The name of a run may also be that of a key's value, or of a test.
  expect(directories("/r1/links/u/r1/r1/r1")).toEqual(["/r1/links/u/r1/r1"]);
  expect(
    directories("/else/r1/t1", "relative/u/r1/r1/t", "n/a", "", null, "n/a-mtjobs-was:/links/u/r1/r1"),
  ).toEqual(["/else/r1/t1"]);
});

import { chmodSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { exportsIn, fileOf, movedRows, newArea, readColumn, temporaryDirectory } from "../../support/area.ts";
import { atRest, firstTime, runImport, runPurge, runReduce } from "../../support/queue.ts";

function alter(file: string, sql: string): void {
  const db = new Database(file);
  db.exec(sql);
  db.close();
}

/** Exports a run into a directory, and stops before it is purged. */
async function exportOnly(area: SampleArea, directory: string): Promise<string> {
  const failpoint = (name: string) => {
    if (name === "exported") throw new Error("stop here");
  };
  await expect(runPurge(area, { export: directory }, { failpoint })).rejects.toThrow("stop here");
  return exportsIn(directory)[0] ?? "";
}

describe("an export", () => {
  it.each([
    ["in WAL mode", (file: string) => alter(file, "PRAGMA journal_mode = WAL")],
    ["without a word about itself", (file: string) => alter(file, "DELETE FROM mtjobs_export")],
    ["of another name", (file: string) => alter(file, "UPDATE mtjobs_export SET runname = 'x'")],
    ["with a journal", (file: string) => writeFileSync(`${file}-journal`, "x".repeat(5000))],
    ["that all may write to", (file: string) => chmodSync(file, 0o666)],
  ])("is made anew if no import would take the one that is there: %s", async (_, spoil) => {
    const area = newArea({ ...atRest, runs: 1 });
    await runReduce(area);
    const rows = movedRows(area);
    const directory = temporaryDirectory();
    const spoilt = await exportOnly(area, directory);
    spoil(spoilt);
    const { result } = await runPurge(area, { export: directory });
    const file = result.runs[0]?.exportFile ?? "";
    expect(file).toBe(spoilt.replace(/\.db$/, "-2.db"));
    await runImport(area, file);
    expect(movedRows(area)).toEqual(rows);
  });

  it("is not open to all even if the area is: an import would refuse it", async () => {
    const area = newArea({ ...atRest, runs: 1 });
    chmodSync(fileOf(area, "area"), 0o666);
    await runReduce(area);
    const { result } = await runPurge(area, { export: temporaryDirectory() });
    const file = result.runs[0]?.exportFile ?? "";
    expect(statSync(file).mode & 0o777).toBe(0o664);
    expect((await runImport(area, file)).result.moved.runs).toBe(1);
  });

  it("is used even if a leftover beside it cannot be removed", async () => {
    const area = newArea({ ...atRest, runs: 1 });
    await runReduce(area);
    const directory = temporaryDirectory();
    const file = await exportOnly(area, directory);
    mkdirSync(join(directory, `.${basename(file, ".db")}.part`));
    expect((await runPurge(area, { export: directory })).result.runs[0]?.exportFile).toBe(file);
  });

  it.each([
    ["removed", "exported", (file: string) => rmSync(file)],
    ["changed", "exported", (file: string) => alter(file, "DELETE FROM test_steps")],
    ["changed", "export-written", (file: string) => alter(file, "DELETE FROM test_steps")],
  ])("that is %s (%s) before its run is purged is written again", async (_, point, spoil) => {
    const area = newArea({ ...atRest, runs: 1 });
    await runReduce(area);
    const rows = movedRows(area);
    const directory = temporaryDirectory();
    const failpoint = firstTime(point, () => {
      const [file = ""] = readdirSync(directory).filter((entry) => /\.(db|part)$/.test(entry));
      spoil(join(directory, file));
    });
    const { result } = await runPurge(area, { export: directory }, { failpoint });
    await runImport(area, result.runs[0]?.exportFile ?? "");
    expect(movedRows(area)).toEqual(rows);
  });

  it("of a run with very many superseded versions is written in one pass over them", async () => {
    const area = newArea({ ...atRest, runs: 1 });
    await runReduce(area);
    const versions = 100_000;
    alter(
      join(area.directory, "completed-runs.db"),
      `INSERT INTO mtjobs_superseded (table_name, row_id, source, reason, job_id, at, columns, row, carried)
       WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${versions})
       SELECT 'test_steps', i, 'area', 'older', 'job', 1, '["id","test_id"]', i || ',' || (SELECT min(id) FROM tests), '' FROM n`,
    );
    const { result } = await runPurge(area, { export: temporaryDirectory() });
    const file = result.runs[0]?.exportFile ?? "";
    expect(readColumn(file, "SELECT count(*) FROM mtjobs_superseded")).toEqual([versions]);
  }, 20_000);
});

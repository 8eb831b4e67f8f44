import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  addOddValues,
  addTestIn,
  assertNothingLost,
  changeInMegatestDbOnly,
  exportsIn,
  fileOf,
  keptVersions,
  lockRun,
  movedRows,
  newArea,
  noRows,
  readColumn,
  readRows,
  rejectionOf,
  temporaryDirectory,
} from "../../support/area.ts";
import {
  atRest,
  errorCodeOf,
  fillBut,
  historyOf,
  mayMount,
  mountSmall,
  reduceSafely,
  runImport,
  runJobProcess,
  runPurge,
  runReduce,
  runRestore,
  skippedBy,
  unionOf,
} from "../../support/queue.ts";

const completed = (area: SampleArea) => join(area.directory, "completed-runs.db");

/** Runs SQL that returns rows in completed-runs.db, as another program might. */
const change = (area: SampleArea, sql: string) => readRows(completed(area), sql);

describe("a purge", () => {
  it("exports each run to a database of its own, which an import brings back to the last value", async () => {
    const area = newArea({ ...atRest, runs: 4 });
    addOddValues(area, 2);
    const { before } = await reduceSafely(area, {});
    const rows = movedRows(area);
    const directory = temporaryDirectory();
    const { result } = await runPurge(area, { export: directory });
    expect(result).toMatchObject({ job: "purge", state: "completed", skipped: [], warnings: [] });
    expect(result.moved).toMatchObject({ runs: 4, tests: rows.tests?.length });
    expect(movedRows(area)).toEqual(noRows);
    const files = exportsIn(directory);
    expect(files).toHaveLength(4);
    expect(result.runs.map(({ exportFile }) => exportFile).sort()).toEqual(files);
    for (const file of files) {
      expect(readColumn(file, "PRAGMA integrity_check")).toEqual(["ok"]);
      expect(readColumn(file, "SELECT fieldname FROM keys ORDER BY id")).toEqual(area.keys);
      const { result: imported } = await runImport(area, file);
      expect(imported).toMatchObject({ job: "import", state: "completed", skipped: [], moved: { runs: 1 } });
    }
    expect(movedRows(area)).toEqual(rows);
    await runRestore(area);
    assertNothingLost(before, unionOf(area));
    const lines = historyOf(area) as unknown as { job: string; moved: { runs: number } }[];
    expect(lines.map(({ job, moved }) => [job, moved.runs])).toEqual([
      ["reduce", 4],
      ["purge", 4],
      ...files.map(() => ["import", 1]),
      ["restore", 4],
    ]);
  });

  it("takes the versions kept of a run's rows along, and an import brings them back", async () => {
    const area = newArea({ ...atRest, runs: 3 });
    const test = changeInMegatestDbOnly(area, 2, "an older, word's");
    await runReduce(area);
    const versions = () =>
      readRows(completed(area), "SELECT table_name, row_id, row FROM mtjobs_superseded ORDER BY id");
    const kept = versions();
    expect(kept.length).toBeGreaterThan(0);
    const directory = temporaryDirectory();
    await runPurge(area, { export: directory, runname: undefined, runId: [1] });
    expect(versions()).toEqual(kept);
    await runPurge(area, { export: directory, runname: undefined, runId: [2] });
    expect(versions()).toEqual([]);
    await runImport(area, exportsIn(directory)[1] as string);
    expect(versions()).toEqual(kept);
    expect(keptVersions(area, "tests", test, "comment").join()).toContain("");
  });

  it("keeps what its rules keep, and says why", async () => {
    const area = newArea({ ...atRest, runs: 5 });
    lockRun(area, 1);
    await runReduce(area, { includeLocked: true });
    // A test that runs again where its run was.
    addTestIn(area, ["cache"], 2, "started_again");
    readRows(
      fileOf(area, "cache"),
      "UPDATE tests SET state = 'RUNNING', event_time = strftime('%s', 'now') WHERE testname = 'started_again' RETURNING id",
    );
    const directory = temporaryDirectory();
    const { result } = await runPurge(area, { export: directory });
    expect(skippedBy(result)).toMatchObject({ 1: "locked", 2: "in-flight" });
    expect(exportsIn(directory)).toHaveLength(result.moved.runs);
    const { result: newest } = await runPurge(area, { export: directory, keep: 9 });
    expect(newest).toMatchObject({ moved: { runs: 0 }, skippedCounts: { kept: 2 } });
    const { result: young } = await runPurge(area, { export: directory, age: 1e13, includeLocked: true });
    expect(young).toMatchObject({ moved: { runs: 0 }, skippedCounts: { recent: 2 } });
  });

  it("needs a confirmation to purge without an export, and remembers the run", async () => {
    const area = newArea({ ...atRest, runs: 2 });
    await runReduce(area);
    expect(await rejectionOf(Promise.resolve().then(() => runPurge(area, { export: false })))).toMatchObject({
      code: "unconfirmed",
    });
    expect((await runPurge(area, { export: false, dryRun: true })).result).toMatchObject({
      moved: { runs: 2 },
    });
    expect(movedRows(area).runs).toHaveLength(2);
    const { result } = await runPurge(area, { export: false, confirmed: true });
    expect(result.moved.runs).toBe(2);
    expect(movedRows(area)).toEqual(noRows);
    expect(
      change(
        area,
        "SELECT run_id, export_file, json_array_length(directories) > 0 AS listed FROM mtjobs_purged ORDER BY id",
      ),
    ).toEqual([
      { run_id: 1, export_file: null, listed: 1 },
      { run_id: 2, export_file: null, listed: 1 },
    ]);
  });

  it("gives no id of a purged run to a new one", async () => {
    const area = newArea({ ...atRest, runs: 3 });
    await runReduce(area);
    await runPurge(area, { export: temporaryDirectory() });
    const [row] = readRows(fileOf(area, "cache"), "INSERT INTO runs (runname) VALUES ('anew') RETURNING id");
    expect(Number(row?.id)).toBeGreaterThan(3);
  });

  it("uses an export of the same content, and never replaces another file", async () => {
    const area = newArea({ ...atRest, runs: 2 });
    await runReduce(area);
    const directory = temporaryDirectory();
    /** Exports a run, and stops before it is purged. */
    const exportOnly = async (run: number) => {
      const failpoint = (name: string) => {
        if (name === "exported") throw new Error("stop here");
      };
      const options = { export: directory, runname: undefined, runId: [run] };
      await expect(runPurge(area, options, { failpoint })).rejects.toThrow("stop here");
      return exportsIn(directory).find((file) => file.includes(`run-${run}-`)) ?? "";
    };
    const first = await exportOnly(1);
    const bytes = readFileSync(first);
    await runPurge(area, { export: directory, runname: undefined, runId: [1] });
    expect([exportsIn(directory), readFileSync(first).equals(bytes)]).toEqual([[first], true]);
    const taken = await exportOnly(2);
    writeFileSync(taken, "something else");
    const { result } = await runPurge(area, { export: directory });
    expect(result.runs[0]?.exportFile).toBe(taken.replace(/\.db$/, "-2.db"));
    expect(readFileSync(taken, "utf8")).toBe("something else");
  });

  it.each([
    ["a value", "UPDATE test_data SET value = value || 'x' WHERE id = (SELECT max(id) FROM test_data)"],
    [
      "the type of a value",
      "UPDATE tests SET final_logf = CAST(final_logf AS BLOB) WHERE id = (SELECT max(id) FROM tests)",
    ],
    ["a row less", "DELETE FROM test_steps WHERE id = (SELECT max(id) FROM test_steps)"],
    ["a row more", "INSERT INTO extradat (run_id, key) SELECT id, 'more' FROM runs"],
    ["a column less", "ALTER TABLE runs DROP COLUMN comment"],
    ["another state of mtjobs", "DELETE FROM mtjobs_runs"],
    ["nothing", ""],
  ])("takes a file for an export of a run only if it differs from it in nothing: %s", async (_, sql) => {
    const area = newArea({ ...atRest, runs: 1 });
    await runReduce(area);
    const directory = temporaryDirectory();
    let file = "";
    const { result } = await runPurge(
      area,
      { export: directory },
      {
        failpoint: (name) => {
          // The next try finds the export altered.
          if (name !== "exported" || file !== "") return;
          [file = ""] = exportsIn(directory);
          const db = new Database(file);
          db.exec(sql);
          db.close();
          change(area, "INSERT INTO mtjobs_seen VALUES ('test', 'none', 1) RETURNING id");
        },
      },
    );
    expect(result.runs[0]?.exportFile).toBe(sql === "" ? file : file.replace(/\.db$/, "-2.db"));
  });

  it("exports a run again that another program changed meanwhile", async () => {
    const area = newArea({ ...atRest, runs: 1 });
    await runReduce(area);
    const directory = temporaryDirectory();
    let changes = 0;
    const { result } = await runPurge(
      area,
      { export: directory },
      {
        failpoint: (name) => {
          if (name === "exported" && changes++ === 0)
            change(area, "UPDATE runs SET comment = 'meanwhile' RETURNING id");
        },
      },
    );
    const file = result.runs[0]?.exportFile ?? "";
    expect(readColumn(file, "SELECT comment FROM runs")).toEqual(["meanwhile"]);
    expect(exportsIn(directory)).toHaveLength(2);
    await runImport(area, file);
    await expect(
      runPurge(
        area,
        { export: directory },
        {
          failpoint: (step) => {
            if (step === "exported")
              change(area, `UPDATE runs SET comment = 'change ${changes++}' RETURNING id`);
          },
        },
      ),
    ).resolves.toMatchObject({ result: { moved: { runs: 0 }, skippedCounts: { changed: 1 } } });
    expect(movedRows(area).runs).toHaveLength(1);
  });

  it("refuses a directory that is missing, open to all, or outside the directories for exports", async () => {
    const area = newArea({ ...atRest, runs: 1 });
    await runReduce(area);
    const directory = temporaryDirectory();
    const state = movedRows(area);
    expect(await rejectionOf(runPurge(area, { export: join(directory, "none") }))).toMatchObject({
      code: "bad-payload",
    });
    writeFileSync(join(directory, "file"), "");
    expect(await rejectionOf(runPurge(area, { export: join(directory, "file") }))).toMatchObject({
      code: "bad-payload",
    });
    chmodSync(directory, 0o777);
    expect(await rejectionOf(runPurge(area, { export: directory }))).toMatchObject({ code: "not-owner" });
    chmodSync(directory, 0o755);
    const outside = await runJobProcess("purge", area, ["--runname", "%", "--export", directory], {
      MTJOBS_EXPORTS: area.directory,
    });
    expect([outside.code, errorCodeOf({ ...outside, code: outside.code ?? -1, ms: 0 })]).toEqual([
      3,
      "outside-roots",
    ]);
    expect(movedRows(area)).toEqual(state);
    expect(existsSync(join(directory, "run-1"))).toBe(false);
  });

  it.runIf(mayMount())("removes nothing and leaves no file when the exports' disk is full", async () => {
    const area = newArea({ ...atRest, runs: 2 });
    await runReduce(area);
    const state = movedRows(area);
    const directory = join(temporaryDirectory(), "full");
    mountSmall(directory, 4);
    chmodSync(directory, 0o755);
    const free = fillBut(directory, 60);
    expect(await rejectionOf(runPurge(area, { export: directory }))).toMatchObject({ code: "disk-full" });
    expect([movedRows(area), readdirSync(directory).filter((name) => name.includes("run-"))]).toEqual([
      state,
      [],
    ]);
    free();
    expect((await runPurge(area, { export: directory })).result.moved.runs).toBe(2);
  });
});

import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { type ListedRun, listRuns } from "../../../producers/areas/list-runs.ts";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { resultText } from "../../../producers/format/move-result.ts";
import { runDocument } from "../../../producers/format/runs.ts";
import {
  completedColumn,
  diagnoseArea,
  edit,
  everywhere,
  fileOf,
  filesOf,
  newArea,
  placeOf,
  readColumn,
  readRows,
  removeRuns,
} from "../../support/area.ts";
import { atRest, run2, runReduce, runRestore } from "../../support/queue.ts";

/** Gives the tests of a run directories with results, as Megatest does: a link in the link tree to a place on a disk. */
function writeResults(area: SampleArea, runId: number): void {
  const [run] = readRows(area.cacheDb, "SELECT * FROM runs WHERE id = ?", runId);
  const path = [...area.keys.map((key) => run?.[key]), run?.runname].join("/");
  edit(area, everywhere, (db) => {
    const set = db.prepare("UPDATE tests SET rundir = ?, shortdir = ? WHERE id = ?");
    for (const { id, testname, item_path } of db
      .prepare("SELECT * FROM tests WHERE run_id = ?")
      .all(runId) as {
      id: number;
      testname: string;
      item_path: string;
    }[]) {
      const below = join(path, testname, item_path);
      const [link, disk] = [join(area.directory, "links", below), join(area.directory, "runs", below)];
      set.run(link, disk, id);
      mkdirSync(disk, { recursive: true });
      writeFileSync(join(disk, "result.txt"), `of run ${runId}\n`);
      mkdirSync(dirname(link), { recursive: true });
      if (!existsSync(link)) symlinkSync(disk, link);
    }
  });
}

/** Run 2 moved; then Megatest runs the same tests again under its target and name, as run 50, in the same directories. */
async function runAgain(): Promise<SampleArea> {
  const area = newArea({ ...atRest, runs: 4 });
  writeResults(area, 2);
  await runReduce(area, run2);
  const [run] = readRows(filesOf(area).completedDb, "SELECT * FROM runs WHERE id = 2");
  const tests = readRows(filesOf(area).completedDb, "SELECT * FROM tests WHERE run_id = 2");
  edit(area, everywhere, (db) => {
    const names = [...area.keys, "runname"];
    db.prepare(
      `INSERT INTO runs (id, ${names.join(", ")}, state, status, event_time) VALUES (50, ${names.map(() => "?").join(", ")}, 'new', 'n/a', 5)`,
    ).run(...names.map((name) => run?.[name]));
    const insert = db.prepare(
      "INSERT INTO tests (run_id, testname, item_path, state, status, event_time) VALUES (50, ?, ?, 'COMPLETED', 'PASS', 6)",
    );
    for (const { testname, item_path } of tests) insert.run(testname, item_path);
  });
  writeResults(area, 50);
  return area;
}

const anew = { ...run2, onConflict: "rename" } as const;
const directoriesOf = (area: SampleArea, runId: number) =>
  readColumn(area.cacheDb, "SELECT rundir FROM tests WHERE run_id = ? ORDER BY id", runId) as string[];

describe("a run that comes back under another name", () => {
  it("names no directory of the run that has its name now, so that -remove-runs of it removes no result", async () => {
    const area = await runAgain();
    await runRestore(area, anew);
    const results = directoriesOf(area, 50).map((path) => join(path, "result.txt"));
    expect(removeRuns(area.cacheDb, [2], { within: area.directory })).toEqual([]);
    for (const file of results) expect(readFileSync(file, "utf8")).toBe("of run 50\n");
    expect(removeRuns(area.cacheDb, [50], { within: area.directory })).toHaveLength(new Set(results).size);
  });

  it("keeps what its tests named, in every database, in a second reduce and a later restore", async () => {
    const area = await runAgain();
    const columns = "testname, item_path, rundir, shortdir";
    const select = `SELECT ${columns} FROM tests WHERE run_id = 2 ORDER BY id`;
    const marked = readRows(filesOf(area).completedDb, select).map((test) => ({
      ...test,
      rundir: `n/a-mtjobs-was:${test.rundir}`,
      shortdir: `n/a-mtjobs-was:${test.shortdir}`,
    }));
    const inSources = () => everywhere.map((place) => readRows(fileOf(area, place), select));
    await runRestore(area, anew);
    expect(inSources()).toEqual([marked, marked, marked]);
    await runReduce(area, run2);
    expect(readRows(filesOf(area).completedDb, select)).toEqual(marked);
    await runRestore(area, run2);
    expect(inSources()).toEqual([marked, marked, marked]);
  });

  it("keeps all else of its rows, and leaves a test without a directory as it is", async () => {
    const area = await runAgain();
    const { completedDb } = filesOf(area);
    const [bare, empty, bad, ...rest] = completedColumn(
      area,
      "SELECT id FROM tests WHERE run_id = 2",
    ) as number[];
    expect(rest.length).toBeGreaterThan(0);
    const db = new Database(completedDb);
    try {
      db.prepare("UPDATE tests SET rundir = 'n/a', shortdir = NULL WHERE id = ?").run(bare);
      db.prepare("UPDATE tests SET rundir = '', shortdir = 'n/a-mtjobs-was:/x' WHERE id = ?").run(empty);
      db.prepare("UPDATE tests SET rundir = '/tmp/badname', shortdir = x'2f61' WHERE id = ?").run(bad);
    } finally {
      db.close();
    }
    const select = "SELECT * FROM tests WHERE run_id = 2 ORDER BY id";
    const before = readRows(completedDb, select);
    await runRestore(area, anew);
    const expected = before.map((test) =>
      [bare, empty, bad].includes(Number(test.id))
        ? test
        : { ...test, rundir: `n/a-mtjobs-was:${test.rundir}`, shortdir: `n/a-mtjobs-was:${test.shortdir}` },
    );
    expect(readRows(area.cacheDb, select)).toEqual(expected);
  });

  it("names none either where the new name stands elsewhere in their paths", async () => {
    const area = await runAgain();
    const { completedDb } = filesOf(area);
    const [name] = completedColumn(area, "SELECT runname FROM runs WHERE id = 2");
    const db = new Database(completedDb);
    const shared = `/disk/${name}.restored/links/${name}/t1`;
    try {
      db.prepare("UPDATE tests SET rundir = ? WHERE run_id = 2").run(shared);
    } finally {
      db.close();
    }
    await runRestore(area, anew);
    expect(new Set(directoriesOf(area, 2))).toEqual(new Set([`n/a-mtjobs-was:${shared}`]));
  });

  it("says in the result which name it had and what became of the directories, in a dry run too", async () => {
    const area = await runAgain();
    const [name] = completedColumn(area, "SELECT runname FROM runs WHERE id = 2");
    const expected = (would: boolean) => ({
      runs: [{ id: 2, runname: `${name}.restored`, previousRunname: name }],
      warnings: [
        expect.stringMatching(
          would
            ? /\.restored\): \d+ tests would name directories .* shortdir would become n\/a/
            : /^run 2 .*\.restored\): \d+ tests named directories .* shortdir became n\/a/,
        ),
      ],
      dryRun: would,
    });
    const dry = await runRestore(area, { ...anew, dryRun: true });
    expect(dry.result).toMatchObject(expected(true));
    expect(resultText(dry.result)).toContain(`${name} would be restored as ${name}.restored`);
    const { result } = await runRestore(area, anew);
    expect(result).toMatchObject(expected(false));
  });

  it("is listed with the directories that it had", async () => {
    const area = await runAgain();
    const [named] = readRows(
      filesOf(area).completedDb,
      "SELECT rundir FROM tests WHERE run_id = 2 ORDER BY testname, item_path",
    );
    await runRestore(area, anew);
    for (const fullDb of [false, true]) {
      const { settings, env } = placeOf(area);
      const list = await listRuns(area.directory, { runId: [2], fullDb }, { settings, env });
      const [run] = list.runs();
      list.close();
      expect(runDocument(run as ListedRun).tests).toContainEqual(
        expect.objectContaining({ formerRundir: named?.rundir }),
      );
    }
  });

  it("loses the directories once an earlier version has brought it back with them, but not those of its own", async () => {
    const area = await runAgain();
    await runRestore(area, anew);
    const mark = "n/a-mtjobs-was:";
    // as an earlier version left it; one test ran again since
    edit(area, everywhere, (db) => {
      db.exec(
        `UPDATE tests SET rundir = replace(rundir, '${mark}', ''), shortdir = replace(shortdir, '${mark}', '') WHERE run_id = 2`,
      );
    });
    const [name] = readColumn(area.cacheDb, "SELECT runname FROM runs WHERE id = 2");
    const [own] = readColumn(area.cacheDb, "SELECT min(id) FROM tests WHERE run_id = 2");
    const itsOwn = `/links/a/b/c/${name}/t1`;
    edit(area, everywhere, (db) => db.prepare("UPDATE tests SET rundir = ? WHERE id = ?").run(itsOwn, own));
    const verdict = async () =>
      (await diagnoseArea(area)).checks.filter((check) => check.name.startsWith("directories/"));
    expect(await verdict()).toMatchObject([{ ok: false }, { ok: false, details: { runs: 1 } }]);
    await runReduce(area, run2);
    const { result } = await runRestore(area, run2);
    expect(result.warnings.join()).toContain("named directories of the run that now has its old name");
    expect(directoriesOf(area, 2).filter((path) => !path.startsWith(mark))).toEqual([itsOwn]);
    expect(await verdict()).toMatchObject([{ ok: true }, { ok: true }]);
  });
});

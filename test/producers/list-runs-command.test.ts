import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { edit, everywhere, readRows, realShapeArea, realShapeListRuns } from "../support/area.ts";
import { divideArea, documentOf, errorCodeOf, runCommand, runReduce, runRestore } from "../support/queue.ts";

function run(area: SampleArea, args: readonly string[], cwd = "/") {
  const env = { MTJOBS_HOST: area.host, MTJOBS_USER: area.user, MTJOBS_CACHE_ROOT: area.cacheRoot };
  return runCommand(args, { env, cwd });
}

async function listed(
  area: SampleArea,
  args: readonly string[],
): Promise<{ id: number; where?: string; tests: unknown[] }[]> {
  const document = documentOf(await run(area, ["list-runs", area.directory, ...args, "--json"]));
  return document.runs as { id: number; tests: unknown[] }[];
}

const ids = (runs: { id: number }[]) => runs.map(({ id }) => id).sort((a, b) => a - b);

describe("mtjobs list-runs", () => {
  it("prints of an area in the shape of a real one what the real Megatest prints, to the byte", async () => {
    const area = realShapeArea(2);
    const { stdout, stderr, code } = await run(area, ["list-runs", area.directory, "%"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toBe(realShapeListRuns(area));
  });

  it("writes a real number as Scheme does, pads by bytes, and leaves out a step that is hidden", async () => {
    const area = realShapeArea(2);
    edit(area, everywhere, (db) => {
      db.exec("UPDATE tests SET cpuload = 0.1 + 0.2, diskfree = 7.0, testname = 'größe' WHERE id = 5");
      db.exec("UPDATE test_steps SET status = 'DELETED' WHERE test_id = 5 AND state = 'start'");
      db.exec("UPDATE tests SET status = 'WARN' WHERE id = 2");
      db.exec("UPDATE tests SET state = 'NOT_STARTED', status = 'n/a' WHERE id = 20");
    });
    const { stdout } = await run(area, ["list-runs", area.directory, "wk0*", "--run-id", "1,4"]);
    expect(stdout).toContain(`  Test: größe(south)${" ".repeat(11)} State: `);
    expect(stdout).toContain("\n         cpuload:  0.3\n         diskfree: 7\n");
    expect(stdout.match(/^ {4}Step: /gm)?.length).toBe(1);
    expect(stdout.match(/^ {9}rundir: /gm)?.length).toBe(2);
  });

  it("tells programs times as ISO, where each test ran, and the steps of those that did not pass", async () => {
    const area = realShapeArea(2);
    const document = documentOf(await run(area, ["list-runs", area.directory, "wk02", "--json"]));
    const [only] = document.runs as { tests: Record<string, unknown>[] }[];
    const began = readRows(area.cacheDb, "SELECT event_time FROM runs WHERE id = 4")[0]?.event_time;
    expect(only).toMatchObject({ at: new Date(Number(began) * 1000).toISOString(), event_time: began });
    const bySteps = only?.tests.map(({ testname, item_path, steps }) => [
      `${testname}/${item_path}`,
      (steps as unknown[] | undefined)?.length,
    ]);
    expect(bySteps).toEqual([
      ["summary/", undefined],
      ["matrix/south", 2],
      ["matrix/north", undefined],
      ["matrix/", 0],
      ["basic/", undefined],
    ]);
    expect(only?.tests[1]).toMatchObject({
      cpuload: 4.13,
      rundir: "/proj/links/q1/sles/7.2/wk02/matrix/south",
      steps: [
        { stepname: "probe", state: "start", at: expect.stringMatching(/^\d{4}-.*Z$/) },
        { state: "end" },
      ],
    });
  });

  it("takes a target pattern key by key, and one of other parts for the whole target", async () => {
    const area = realShapeArea(2);
    for (const [pattern, expected] of [
      ["sl%/7*", [1, 4]],
      ["%/7.2", [4, 5]],
      ["SLES/%", []],
      ["s%s/7.1,arch/*", [1, 5]],
      ["sles%", [1, 4]],
      ["%", [1, 4, 5]],
      ["a_ch/%", []],
    ] as const)
      expect([pattern, ids(await listed(area, ["--target", pattern]))]).toEqual([pattern, expected]);
  });

  it("says where patterns match nothing what targets, names and states look like here", async () => {
    const area = realShapeArea(2);
    const wrong = await run(area, [
      "list-runs",
      area.directory,
      "wk%",
      "--target",
      "sles",
      "--state",
      "COMPLETED",
    ]);
    expect([wrong.code, wrong.stdout]).toEqual([0, ""]);
    const message =
      "no run matches --target sles and --runname wk% and --state COMPLETED; the newest runs here have targets arch/7.2, sles/7.2, sles/7.1; names wk01, wk02; states new, locked; statuses n/a, checked";
    expect(wrong.stderr).toBe(`mtjobs: ${message}\n`);
    const json = await run(area, [
      "list-runs",
      area.directory,
      "wk%",
      "--target",
      "sles",
      "--state",
      "COMPLETED",
      "--json",
    ]);
    expect(documentOf(json)).toMatchObject({ runs: [], warnings: [message] });
    const { result } = await runReduce(area, { runname: "r%" });
    expect(result.warnings).toEqual([
      expect.stringMatching(/^no run matches --runname r%; .*names wk01, wk02;/),
    ]);
    await runReduce(area, { runname: "wk%", includeLocked: true });
    const back = await runRestore(area, { target: "sles/8%" });
    expect(back.result.warnings).toEqual([expect.stringContaining("no run matches --target sles/8%; ")]);
    expect((await runReduce(area, { runname: "x%" })).result.warnings).toEqual([]);
  });

  it("lists the runs of both databases with --full-db, and says of each where it is", async () => {
    const { area } = await divideArea([1, 2, 5]);
    expect(ids(await listed(area, []))).toEqual([3, 4, 6, 7, 8, 9, 10, 11, 12]);
    const all = await listed(area, ["%", "--full-db"]);
    expect(ids(all)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(ids(all.filter(({ where }) => where === "completed-runs.db"))).toEqual([1, 2, 5]);
    expect(all.every(({ tests }) => tests.length === 10)).toBe(true);
    const text = await run(area, ["list-runs", area.directory, "--full-db"]);
    expect(text.stdout.match(/ where: completed-runs\.db $/gm)?.length).toBe(3);
  });

  it("chooses by name, target, state, status and id, and leaves hidden runs out", async () => {
    const { area, undivided } = await divideArea([1, 2, 5], {
      change: (db) =>
        db.exec(
          "UPDATE runs SET state = 'deleted' WHERE id = 6; UPDATE runs SET state = 'odd', status = 'PASS' WHERE id IN (2, 7)",
        ),
    });
    const [{ sysname = "", runname = "" } = {}] = readRows(
      undivided,
      "SELECT sysname, runname FROM runs WHERE id = 2",
    );
    const expected = (where: string) =>
      ids(
        readRows(undivided, `SELECT id FROM runs WHERE state <> 'deleted' AND ${where}`) as { id: number }[],
      );
    for (const [args, where] of [
      [[String(runname)], `runname = '${runname}'`],
      [["w%.1,w%.2"], "runname LIKE 'w%.1' OR runname LIKE 'w%.2'"],
      [["--target", `${sysname}/%`], `sysname = '${sysname}'`],
      [["--state", "odd"], "state = 'odd'"],
      [
        ["--runname", "%", "--state", "odd", "--status", "PASS,FAIL"],
        "state = 'odd' AND status IN ('PASS', 'FAIL')",
      ],
      [["--run-id", "2,7, 6"], "id IN (2, 7)"],
      [["%", "--run-id", "1", "--state", "odd"], "0"],
      [["nothing*"], "0"],
    ] as const) {
      expect([args, ids(await listed(area, [...args, "--full-db"]))]).toEqual([args, expected(`(${where})`)]);
    }
  });

  it("understands Megatest's spelling", async () => {
    const { area } = await divideArea([1, 2]);
    const line = ["-list-runs", "%", "-full-db", "-target", "%", "--json"];
    const document = documentOf(await run(area, line, area.directory));
    expect((document.runs as unknown[]).length).toBe(12);
    const twice = await run(area, ["list-runs", area.directory, "a", "-runname", "b", "--json"]);
    expect([twice.code, errorCodeOf(twice)]).toEqual([2, "usage"]);
  });

  it("lists an area with an old database, and one whose names hold anything", async () => {
    const { area } = await divideArea([1, 2], { old: true });
    edit(area, everywhere, (db) =>
      db.prepare("UPDATE runs SET runname = ? WHERE id = 4").run("a\nb\u001b[31m%"),
    );
    const text = await run(area, ["list-runs", area.directory, "--full-db"]);
    expect(text.code).toBe(0);
    expect(text.stdout).toContain("runname: a\\u000ab\\u001b[31m% ");
    expect(ids(await listed(area, ["--full-db"]))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });
});

describe("mtjobs attach-sql", () => {
  it("prints the SQL alone, or as a document", async () => {
    const { area, files } = await divideArea([1, 2]);
    const plain = await run(area, ["attach-sql", area.directory]);
    expect([plain.code, plain.stderr]).toEqual([0, ""]);
    expect(plain.stdout).toContain(`ATTACH '${files.completedDb}' AS completed;`);
    expect(documentOf(await run(area, ["attach-sql", "--json"], area.directory))).toEqual({
      area: area.directory,
      database: files.megatestDb,
      sql: plain.stdout,
    });
  });
});

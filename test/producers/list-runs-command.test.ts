import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../shared/sample-area/build-area.ts";
import { divideArea } from "../support/divided-area.ts";
import { edit, everywhere } from "../support/edit-area.ts";
import { readRows } from "../support/read-rows.ts";
import { documentOf, errorCodeOf, runCommand } from "./run-command.ts";

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
  it("prints a line of fields for each run, then one for each of its tests, as Megatest does", async () => {
    const { area, undivided } = await divideArea([1, 2]);
    const [row = {}] = readRows(undivided, "SELECT * FROM runs WHERE id = 3");
    const { stdout, code } = await run(area, ["list-runs", area.directory, String(row.runname)]);
    expect(code).toBe(0);
    const [head = "", ...tests] = stdout.trimEnd().split("\n");
    const target = area.keys.map((key) => row[key]).join("/");
    const keys = area.keys.map((key) => `${key}: ${row[key]} `).join("");
    expect(head).toBe(
      `Run: ${target}/${row.runname} ${keys}id: 3 runname: ${row.runname} state: ${row.state} status: ${row.status} owner: ${row.owner} event_time: ${row.event_time} comment: ${row.comment} fail_count: ${row.fail_count} pass_count: ${row.pass_count} `,
    );
    expect(tests.length).toBe(10);
    for (const line of tests)
      expect(line).toMatch(/^ {2}Test: \S+ +State: \S+ +Status: \S+ +Runtime: +\d+s Time: \S+ +Host: /);
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

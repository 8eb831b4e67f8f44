import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../shared/sample-area/build-area.ts";
import { documentOf, runCommand } from "./producers/run-command.ts";
import { edit, makeRefillDue } from "./support/edit-area.ts";
import { isRefillDue, refill } from "./support/megatest/refill.ts";
import { assertNothingLost } from "./support/oracle/assert-nothing-lost.ts";
import { unionOfRuns } from "./support/oracle/union.ts";
import { buildTempArea, filesOf } from "./support/temp-area.ts";

const page = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../docs/${name}`, import.meta.url)), "utf8");

/** The blocks of SQL on a page, in order. */
const sqlOn = (name: string) => [...page(name).matchAll(/```sql\n(.*?)```/gs)].map(([, sql]) => sql ?? "");

async function reduceAll(area: SampleArea): Promise<Record<string, unknown>> {
  const finished = await runCommand(["reduce", area.directory, "--runname", "%", "--inline", "--json"], {
    env: {
      MTJOBS_HOST: area.host,
      MTJOBS_USER: area.user,
      MTJOBS_CACHE_ROOT: area.cacheRoot,
      MTJOBS_REDIS_URL: "redis://127.0.0.1:1",
    },
  });
  expect([finished.code, finished.stderr]).toEqual([0, ""]);
  return documentOf(finished);
}

function open<T>(file: string, body: (db: Database.Database) => T): T {
  const db = new Database(file);
  try {
    db.pragma("foreign_keys = OFF");
    return body(db);
  } finally {
    db.close();
  }
}

/** Does what the sqlite3 shell does with a script that uses `.once` and `.read`; stops at the first error, as `.bail on`. */
function runScript(db: Database.Database, script: string): void {
  const written = new Map<string, string>();
  let target: string | undefined;
  for (const part of script.split(/^(?=\.)|(?<=^\..*\n)/m)) {
    const [command, argument = ""] = part.trim().split(" ");
    if (command === ".once") target = argument;
    else if (command === ".read") db.exec(written.get(argument) ?? "");
    else if (command?.startsWith(".") === true) expect(part.trim()).toBe(".bail on");
    else if (target === undefined) db.exec(part);
    else {
      const [query = "", ...rest] = part.split(/(?<=;\n)/);
      written.set(target, db.prepare(query).pluck().all().join("\n"));
      target = undefined;
      db.exec(rest.join(""));
    }
  }
}

describe("the SQL in the documentation", () => {
  it("lists the runs that count as moved, and gives a superseded version back as it was", async () => {
    const area = buildTempArea({ unsynced: false });
    edit(area, ["cache"], (db) => db.exec("UPDATE tests SET comment = 'it''s newer' WHERE id = 22"));
    const old = open(area.megatestDb, (db) => db.prepare("SELECT * FROM tests WHERE id = 22").get());
    expect(await reduceAll(area)).toMatchObject({ superseded: 1 });
    const [listing = "", versions = ""] = sqlOn("interface.md");
    open(filesOf(area).completedDb, (db) => {
      expect(db.prepare(listing).all()).toHaveLength(10);
      const statement = db.prepare(versions).pluck().get() as string;
      expect(db.prepare(statement).get()).toEqual({
        stood_in: "area",
        reason: "newer in the cache",
        ...(old as object),
      });
    });
  });

  it("brings a run back by hand whole, so that Megatest takes it into its cache and a later reduce moves it again", async () => {
    const area = buildTempArea();
    const before = unionOfRuns(filesOf(area));
    await reduceAll(area);
    const [script = ""] = sqlOn("operations.md");
    open(area.megatestDb, (db) =>
      runScript(db, script.replace("completed-runs.db", join(area.directory, "completed-runs.db"))),
    );
    const inArea = (sql: string) => open(area.megatestDb, (db) => db.prepare(sql).pluck().get());
    expect(inArea("SELECT count(*) FROM tests WHERE run_id = 7")).toBe(10);
    expect(
      inArea("SELECT count(*) FROM test_steps AS s JOIN tests AS t ON t.id = s.test_id AND t.run_id = 7"),
    ).toBe(60);
    const moved = () =>
      open(filesOf(area).completedDb, (db) => [
        db.prepare("SELECT count(*) FROM runs").pluck().get(),
        db.prepare("SELECT count(*) FROM runs WHERE id = 7").pluck().get(),
        db.prepare("SELECT count(*) FROM mtjobs_runs WHERE run_id = 7").pluck().get(),
      ]);
    expect(moved()).toEqual([9, 0, 0]);
    makeRefillDue(area);
    expect(isRefillDue(area)).toBe(true);
    await refill({ cacheDb: area.cacheDb, refDb: area.refDb, megatestDb: area.megatestDb });
    expect(
      open(area.cacheDb, (db) => db.prepare("SELECT count(*) FROM tests WHERE run_id = 7").pluck().get()),
    ).toBe(10);
    edit(area, [], () => {});
    expect(await reduceAll(area)).toMatchObject({ moved: { runs: 1 }, runs: [{ id: 7 }] });
    expect(moved()).toEqual([10, 1, 1]);
    assertNothingLost(before, unionOfRuns(filesOf(area)), { anyLastUpdate: true });
  });

  it("changes nothing where the run to bring back was registered anew", async () => {
    const area = buildTempArea({ unsynced: false });
    await reduceAll(area);
    const again = "INSERT INTO runs SELECT 99, sysname, fsname, datapath, runname";
    const columns = "contour, state, status, owner, event_time, comment, fail_count, pass_count, last_update";
    open(area.megatestDb, (db) => {
      db.prepare("ATTACH ? AS done").run(filesOf(area).completedDb);
      db.exec(`${again}, ${columns} FROM done.runs WHERE id = 7`);
    });
    const [script = ""] = sqlOn("operations.md");
    const attempt = () =>
      open(area.megatestDb, (db) =>
        runScript(db, script.replace("completed-runs.db", join(area.directory, "completed-runs.db"))),
      );
    expect(attempt).toThrow(/UNIQUE/);
    expect(
      open(filesOf(area).completedDb, (db) => db.prepare("SELECT count(*) FROM runs").pluck().get()),
    ).toBe(10);
  });
});

describe("what the documentation shows of a reduce", () => {
  it("has the members of a real result, and the tables and columns that a real area has", async () => {
    const area = buildTempArea();
    const result = await reduceAll(area);
    const [example = "{}"] = [...page("interface.md").matchAll(/```json\n(.*?)```/gs)].map(
      ([, json]) => json ?? "",
    );
    const shown = JSON.parse(example) as Record<string, unknown>;
    expect(Object.keys(shown)).toEqual(Object.keys(result));
    expect(Object.keys(shown.moved as object)).toEqual(Object.keys(result.moved as object));
    const section = page("interface.md").split("\n## Tables of ours\n")[1] ?? "";
    open(filesOf(area).completedDb, (db) => {
      const tables = db
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'mtjobs\\_%' ESCAPE '\\'")
        .pluck()
        .all() as string[];
      expect(tables.length).toBeGreaterThan(5);
      for (const table of tables) {
        const row = section.split("\n").find((line) => line.startsWith(`| \`${table}\` |`)) ?? "";
        const columns = db.prepare("SELECT name FROM pragma_table_info(?)").pluck().all(table) as string[];
        expect([table, columns.filter((column) => !row.includes(`\`${column}\``))]).toEqual([table, []]);
      }
    });
  });
});

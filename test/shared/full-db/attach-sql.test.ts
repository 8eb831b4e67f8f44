import { execFileSync, spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { attachSql } from "../../../producers/full-db/attach-sql.ts";

const queries = [
  "SELECT id, runname, state FROM runs ORDER BY id;",
  "SELECT r.runname, t.testname, t.item_path, t.archived FROM runs r JOIN tests t ON t.run_id = r.id ORDER BY t.id;",
  "SELECT t.id, count(s.id) FROM tests t LEFT JOIN test_steps s ON s.test_id = t.id GROUP BY t.id ORDER BY t.id;",
  "SELECT run_id, state, status, count(*) FROM tests GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;",
  "SELECT * FROM test_data WHERE test_id IN (SELECT id FROM tests WHERE run_id = 2) ORDER BY id;",
];

const withShell = (file: string, sql: string) =>
  execFileSync("sqlite3", ["-bail", "-list", file], { input: sql, encoding: "utf8" });

/** Prints rows as the shell does. */
const python = `
import sqlite3, sys
file, setup, *queries = sys.argv[1:]
db = sqlite3.connect(file)
db.executescript(setup)
shown = lambda value: "" if value is None else str(value)
for query in queries:
    for row in db.execute(query):
        print("|".join(map(shown, row)))
`;

import { divideArea, openToWrite } from "../../support/queue.ts";

const withPython = (file: string, setup: string, sql: readonly string[]) =>
  execFileSync("python3", ["-c", python, file, setup, ...sql], { encoding: "utf8" });

const can = (command: string, ...args: string[]) => spawnSync(command, args).status === 0;

describe.skipIf(!can("sqlite3", "-version"))("the SQL that attach-sql prints", () => {
  it("gives the sqlite3 shell the rows of an undivided database", async () => {
    const { files, undivided } = await divideArea([1, 2, 3, 4]);
    const sql = attachSql(files);
    const expected = withShell(undivided, queries.join("\n"));
    expect(expected.split("\n").length).toBeGreaterThan(300);
    expect(withShell(files.megatestDb, `${sql}${queries.join("\n")}`)).toBe(expected);
  });

  it.skipIf(!can("python3", "-c", "import sqlite3"))(
    "gives Python's sqlite3 the rows of an undivided database",
    async () => {
      const { files, undivided } = await divideArea([1, 2, 3, 4]);
      const rows = withPython(files.megatestDb, attachSql(files), queries);
      expect(rows.split("\n").length).toBeGreaterThan(300);
      expect(rows).toBe(withPython(undivided, "", queries));
    },
  );

  it("is right if completed-runs.db lacks columns, and if it does not exist yet", async () => {
    const { files, undivided } = await divideArea([1, 2], {
      extraColumns: { tests: "priority INTEGER DEFAULT 7" },
    });
    openToWrite(files.completedDb, (db) => db.exec("ALTER TABLE tests DROP COLUMN priority"));
    const query =
      "SELECT id, priority FROM tests ORDER BY id; SELECT count(*) FROM tests WHERE priority = '7';";
    expect(withShell(files.megatestDb, attachSql(files) + query)).toBe(withShell(undivided, query));
    const fresh = await divideArea([]);
    const sql = attachSql(fresh.files);
    expect(sql).not.toContain("ATTACH");
    expect(withShell(fresh.files.megatestDb, sql + query.replaceAll("priority", "archived"))).toBe(
      withShell(fresh.undivided, query.replaceAll("priority", "archived")),
    );
  });
});

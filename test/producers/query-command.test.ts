import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { fingerprint, waitFor } from "../support/area.ts";
import {
  builtCommand,
  divideArea,
  documentOf,
  errorCodeOf,
  type Finished,
  openToWrite,
  runCommand,
  startCommand,
} from "../support/queue.ts";

const endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT";

function homeOf(area: SampleArea): Record<string, string> {
  return { MTJOBS_HOST: area.host, MTJOBS_USER: area.user, MTJOBS_CACHE_ROOT: area.cacheRoot };
}

function query(area: SampleArea, args: readonly string[], env = homeOf(area)): Promise<Finished> {
  return runCommand(["query", area.directory, ...args], { env });
}

describe("mtjobs query", () => {
  it("prints rows lined up, as JSON and as CSV, of both databases with --full-db", async () => {
    const { area } = await divideArea([1, 2]);
    const sql = "SELECT id, runname, NULL AS none, id AS id FROM runs WHERE id IN (2, 11) ORDER BY id";
    const table = await query(area, [sql, "--full-db"]);
    expect([table.code, table.stderr]).toEqual([0, ""]);
    const lines = table.stdout.trimEnd().split("\n");
    expect(lines.map((line) => line.trim().split(/\s+/))).toEqual([
      ["id", "runname", "none", "id"],
      ["2", expect.any(String), "NULL", "2"],
      ["11", expect.any(String), "NULL", "11"],
    ]);
    expect(new Set(lines.map((line) => line.length)).size).toBe(1);
    const json = documentOf(await query(area, [sql, "--full-db", "--json"]));
    const runname = expect.any(String);
    expect(json).toEqual({
      area: area.directory,
      source: "cache",
      fullDb: true,
      columns: ["id", "runname", "none", "id:1"],
      rows: [
        { id: 2, runname, none: null, "id:1": 2 },
        { id: 11, runname, none: null, "id:1": 11 },
      ],
    });
    const csv = await query(area, [
      "SELECT 1 AS a, 'x,\"y' AS b, NULL AS c, x'00ff' AS d, 9007199254740993 AS e",
      "--csv",
    ]);
    expect(csv.stdout).toBe('a,b,c,d,e\n1,"x,""y",,x\'00ff\',9007199254740993\n');
    const alone = documentOf(await query(area, ["SELECT count(*) AS n FROM runs WHERE id < 3", "--json"]));
    expect(alone.rows).toEqual([{ n: 0 }]);
  });

  it("reads the cache at home and megatest.db elsewhere", async () => {
    const { area, files } = await divideArea([1]);
    openToWrite(files.main, (db) => db.exec("UPDATE runs SET comment = 'fresh' WHERE id = 5"));
    const sql = ["SELECT comment FROM runs WHERE id = 5", "--full-db", "--json"];
    expect(documentOf(await query(area, sql))).toMatchObject({
      source: "cache",
      rows: [{ comment: "fresh" }],
    });
    const away = documentOf(await query(area, sql, { ...homeOf(area), MTJOBS_HOST: "host-b" }));
    expect(away).toMatchObject({ source: "megatest.db", rows: [{ comment: "" }] });
  });

  it("takes SQL from stdin, and the working directory for the area", async () => {
    const { area } = await divideArea([1]);
    const run = (args: string[], input: string, cwd: string) =>
      execFileSync(process.execPath, [builtCommand, "query", ...args, "--full-db", "--csv"], {
        cwd,
        input,
        encoding: "utf8",
        env: { PATH: process.env.PATH, ...homeOf(area) },
      });
    const sql = "SELECT count(*) AS n -- all\nFROM runs;\n";
    expect(run([area.directory], sql, "/")).toBe("n\n12\n");
    expect(run(["."], sql, area.directory)).toBe("n\n12\n");
    expect(run(["SELECT count(*) AS n FROM tests"], "", area.directory)).toBe("n\n120\n");
    expect(run([area.directory, "-"], sql, "/")).toBe("n\n12\n");
  });

  it("refuses what is no query and changes and creates nothing, whatever it is asked", async () => {
    const { area } = await divideArea([1], { cacheWal: true });
    const before = fingerprint(area.directory, area.cacheDirectory);
    for (const [sql, code] of [
      ["DELETE FROM runs", "read-only"],
      ["ATTACH '/tmp/x.db' AS x", "bad-query"],
      ["PRAGMA journal_mode = DELETE", "bad-query"],
      ["SELECT load_extension('x')", "bad-query"],
      ["SELECT 1; SELECT 2", "bad-query"],
      ["SELECT nothing FROM runs", "bad-query"],
    ] as const) {
      const refused = await query(area, [sql, "--full-db", "--json"]);
      expect([sql, errorCodeOf(refused), refused.code]).toEqual([sql, code, 2]);
    }
    expect((await query(area, ["SELECT * FROM tests", "--full-db"])).code).toBe(0);
    expect(fingerprint(area.directory, area.cacheDirectory)).toEqual(before);
  });

  it("ends an endless query after --timeout, and closes the document it had begun", async () => {
    const { area } = await divideArea([1]);
    const silent = await query(area, [
      `${endless} count(*) FROM c`,
      "--timeout",
      "1s",
      "--json",
      "--full-db",
    ]);
    expect([silent.code, documentOf(silent).rows]).toEqual([5, []]);
    expect(errorCodeOf(silent)).toBe("timeout");
    const rows = await query(area, [`${endless} x FROM c`, "--timeout", "1s", "--json"]);
    expect([rows.code, errorCodeOf(rows)]).toEqual([5, "timeout"]);
    expect((documentOf(rows).rows as unknown[]).length).toBeGreaterThan(100);
    const table = await query(area, [`${endless} count(*) FROM c`, "--timeout", "1s"]);
    expect([table.code, table.stdout]).toEqual([5, ""]);
    expect(table.stderr).toContain("longer than 1 s");
  });

  it("leaves no process behind, whether its reader goes or it is killed itself", async () => {
    const { area } = await divideArea([1]);
    const children = (pid: number | undefined) =>
      readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
        .trim()
        .split(" ")
        .filter((child) => child !== "");
    const alive = (pid: string) => {
      try {
        process.kill(Number(pid), 0);
        return true;
      } catch {
        return false;
      }
    };
    const running = startCommand(["query", area.directory, `${endless} count(*) FROM c`], {
      env: homeOf(area),
    });
    const [child = ""] = await waitFor("the query's process", () => {
      const found = children(running.child.pid);
      return found.length > 0 ? found : undefined;
    });
    running.child.kill("SIGKILL");
    await running.finished;
    await waitFor("its end", () => !alive(child));
    const shell = spawn(
      "sh",
      [
        "-c",
        `"${process.execPath}" "${builtCommand}" query "${area.directory}" "${endless} x FROM c" | head -2`,
      ],
      {
        env: { PATH: process.env.PATH, ...homeOf(area) },
        stdio: "ignore",
      },
    );
    expect((await once(shell, "close"))[0]).toBe(0);
  });

  it("needs as little memory for a large result as for a small one", async () => {
    const { area } = await divideArea([1]);
    const few = "SELECT * FROM test_steps LIMIT 1000";
    const many = "SELECT a.* FROM test_steps AS a, test_steps AS b LIMIT 300000";
    const peak = async (sql: string) => {
      const running = startCommand(["query", area.directory, sql, "--csv"], { env: homeOf(area) });
      let highest = 0;
      const timer = setInterval(() => {
        try {
          const status = readFileSync(`/proc/${running.child.pid}/status`, "utf8");
          highest = Math.max(highest, Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0));
        } catch {} // it has ended
      }, 5);
      running.child.stdout?.removeAllListeners("data").resume();
      expect((await running.finished).code).toBe(0);
      clearInterval(timer);
      return highest / 1024;
    };
    const small = await peak(few);
    // All of it would be over 60 MB as text alone, and several times that as rows. V8 lets garbage of some 60 MB pile up.
    expect((await peak(many)) - small).toBeLessThan(110);
  });
});

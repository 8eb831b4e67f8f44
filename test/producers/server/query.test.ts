import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, describe, expect, it } from "vitest";
import { queryAnswerSchema } from "../../../producers/contract/runs.ts";
import { buildArea, type SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { openArea } from "../../../shared/area/area.ts";
import { ensureAreaId } from "../../../shared/area/area-id.ts";
import { edit, giveId, temporaryDirectory, waitFor } from "../../support/area.ts";
import {
  type Answer,
  ask,
  onQueue,
  runReduce,
  serverEnv,
  startServer,
  withServerStage,
} from "../../support/queue.ts";

const served = withServerStage();

function newArea(root: string, name: string): SampleArea {
  return buildArea({
    ...{ directory: join(root, name), cacheRoot: temporaryDirectory(), user: "ann", host: "hostz" },
    ...{ runs: 6, testsPerRun: 4, withCache: false, unsynced: false, inFlight: 0 },
  });
}

const query = (area: SampleArea, body: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  served.call(
    `POST /api/v1/areas/by-path/query?path=${encodeURIComponent(area.directory)}`,
    typeof body === "string" ? { sql: body } : body,
    headers,
  );

/** Process ids of the queries that the server runs. */
function queries(): string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const parent = /PPid:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
      return (
        parent === String(served.server.child.pid) &&
        readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("query/main")
      );
    } catch {
      return false; // it has just ended
    }
  });
}

const endless =
  "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n, runs";

afterEach(async () => {
  await waitFor("no query to be left", () => queries().length === 0);
});

describe("a query over HTTP", () => {
  it("reads both databases as one, or megatest.db alone, as JSON and as CSV", async () => {
    const area = newArea(served.stage.root, "both");
    const areaId = ensureAreaId(openArea(area.directory));
    await runReduce(area, { runId: [2, 3] });
    giveId(area, "runs", 6, 2n ** 62n, ["area"]);
    const sql = "SELECT id, runname AS name, X'00ff' AS bytes, NULL, 1.5 AS id FROM runs ORDER BY 1";
    const { status, body } = await query(area, sql);
    expect([status, queryAnswerSchema.parse(body)]).toEqual([200, body]);
    expect(body).toMatchObject({
      area: area.directory,
      source: "megatest.db",
      truncated: false,
      cutValues: 0,
      cut: [],
    });
    expect(body.columns).toEqual(["id", "name", "bytes", "NULL", "id"]);
    expect(body.rows.map(([id]: unknown[]) => id)).toEqual([1, 2, 3, 4, 5, String(2n ** 62n)]);
    expect(body.rows[0]).toEqual([1, expect.any(String), { base64: "AP8=" }, null, 1.5]);
    const byId = await served.call(`POST /api/v1/areas/${areaId}/query`, { sql });
    expect(byId.body).toEqual(body);
    const one = await query(area, {
      sql: "SELECT count(*) FROM runs WHERE state <> 'deleted'",
      fullDb: false,
    });
    expect(one.body.rows).toEqual([[4]]);
    const csv = await query(area, "SELECT 1 AS a, 'x,\"y' AS b, NULL", { accept: "text/csv" });
    expect(csv.body).toBe('a,b,NULL\n1,"x,""y",\n');
    expect(csv.headers.get("content-type")).toBe("text/csv; charset=utf-8");
    expect(csv.headers.get("mtjobs-truncated")).toBe("false");
    expect((await query(area, { sql: "SELECT 7", format: "csv" })).body).toBe("7\n7\n");
    expect((await query(area, "SELECT 7", { accept: "text/csv, application/json" })).body.rows).toEqual([
      [7],
    ]);
  });

  it("is refused if it writes, reads other files, or is not understood", async () => {
    const area = newArea(served.stage.root, "refused");
    for (const [sql, code] of [
      ["DELETE FROM runs", "read-only"],
      ["SELECT 1; SELECT 2", "bad-query"],
      ["ATTACH '/etc/passwd' AS x", "bad-query"],
      ["PRAGMA user_version = 7", "bad-query"],
      ["SELECT load_extension('x')", "bad-query"],
      ["SELECT readfile('/etc/passwd')", "bad-query"],
      ["SELECT nonsense", "bad-query"],
      ["", "bad-payload"],
    ] as const) {
      const answer = await query(area, { sql });
      expect([sql, answer.status, answer.body.code]).toEqual([sql, 400, code]);
    }
    for (const wrong of [
      {},
      { sql: 1 },
      { sql: "SELECT 1", rows: 0 },
      { sql: "SELECT 1", more: 1 },
      { sql: "SELECT 1", timeout: "1m" },
    ])
      expect((await query(area, wrong)).status).toBe(400);
    const outside = await served.call("POST /api/v1/areas/by-path/query?path=/etc", { sql: "SELECT 1" });
    expect([outside.status, outside.body.code]).toEqual([403, "outside-roots"]);
    const form = await query(area, "SELECT 1", { "sec-fetch-site": "cross-site" });
    expect(form.status).toBe(403);
  });

  it("ends after its time, and when its client leaves, and holds no lock then", async () => {
    const area = newArea(served.stage.root, "endless");
    const late = await query(area, { sql: endless, timeout: "500ms" });
    expect([late.status, late.body.code]).toEqual([504, "timeout"]);
    const leaving = new AbortController();
    const url = `${served.server.url}/api/v1/areas/by-path/query?path=${area.directory}`;
    const left = ask(url, { method: "POST", body: { sql: endless, timeout: "30s" }, signal: leaving.signal });
    const failed = expect(left).rejects.toThrow(/abort/);
    await waitFor("the query to run", () => queries().length === 1);
    leaving.abort();
    await failed;
    await waitFor("the query to end", () => queries().length === 0);
    edit(area, ["area"], (db) => db.exec("UPDATE runs SET comment = 'written'"));
  });

  it("stops when it has enough rows, and holds no lock once it is answered", async () => {
    const area = newArea(served.stage.root, "enough");
    const { body } = await query(area, {
      sql: "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT i FROM n, runs",
      rows: 10,
    });
    expect([body.rows.length, body.truncated]).toEqual([10, true]);
    const db = new Database(area.megatestDb, { timeout: 0 });
    db.exec("UPDATE runs SET comment = 'now'");
    db.close();
  });

  it("says which values are cut, in rows that come in several messages", async () => {
    const area = newArea(served.stage.root, "cut");
    const sql = `WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i < 899)
      SELECT i, iif(i IN (3, 777), hex(zeroblob(9000)), 'short'), iif(i = 777, zeroblob(17000), NULL) FROM n`;
    const { body } = await query(area, sql);
    expect([body.rows.length, body.cutValues]).toEqual([900, 3]);
    expect(body.cut).toEqual([
      [3, 1],
      [777, 1],
      [777, 2],
    ]);
    const few = await query(area, { sql, rows: 100 });
    expect([few.body.cutValues, few.body.cut]).toEqual([1, [[3, 1]]]);
    const csv = await query(area, { sql, rows: 100, format: "csv" });
    expect(csv.headers.get("mtjobs-cut-values")).toBe("1");
  });

  it("has an answer of at most 300 kB, and needs little memory, whatever it makes", async () => {
    const area = newArea(served.stage.root, "bounded");
    const numbers = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT 100000)";
    for (const [sql, truncated, cut] of [
      [`${numbers} SELECT i, 'some text', 1.25 FROM n`, true, false],
      ["SELECT replace(hex(zeroblob(5000000)), '0', char(1)) AS x FROM runs", true, true],
      ["SELECT zeroblob(50000000) FROM runs", false, true],
      [`SELECT ${Array.from({ length: 900 }, () => "hex(zeroblob(1000))").join(", ")}`, false, true],
      [`SELECT 1 AS "${"\u0001".repeat(5000)}"`, false, false],
    ] as const) {
      const { status, body } = await query(area, { sql, rows: 10_000 });
      const bytes = Buffer.byteLength(JSON.stringify(body));
      expect(body.cut.length).toBe(Math.min(1000, body.cutValues));
      expect([sql.slice(0, 60), status, bytes < 300_000, body.truncated, body.cutValues > 0]).toEqual([
        ...[sql.slice(0, 60), 200, true, truncated, cut],
      ]);
    }
    for (const sql of [
      "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT group_concat(hex(zeroblob(500))) FROM n",
      `WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT i, hex(zeroblob(500)) FROM n ORDER BY i DESC`,
    ]) {
      const answer = await query(area, { sql, timeout: "30s" });
      expect([sql.slice(0, 40), answer.status, answer.body.code]).toEqual([
        sql.slice(0, 40),
        400,
        "bad-query",
      ]);
      expect(answer.body.detail).toContain("more memory");
    }
    const wide = `WITH a AS (SELECT ${Array.from({ length: 40 }, (_, n) => `1 AS "${n}${"x".repeat(400)}"`).join(",")}) SELECT ${Array.from({ length: 20 }, (_, n) => `a${n}.*`).join(",")} FROM ${Array.from({ length: 20 }, (_, n) => `a AS a${n}`).join(",")}`;
    expect((await query(area, wide)).body.detail).toMatch(/^the query has 800 columns/);
  });

  it("waits for others if four are running", async () => {
    const area = newArea(served.stage.root, "busy");
    const four = Array.from({ length: 4 }, () => query(area, { sql: endless, timeout: "5s" }));
    await waitFor("four queries", () => queries().length === 4);
    const fifth = await query(area, "SELECT 1");
    expect([fifth.status, fifth.body.code]).toEqual([503, "busy"]);
    for (const answer of await Promise.all(four)) expect(answer.status).toBe(504);
    expect((await query(area, "SELECT 1")).status).toBe(200);
  });
});

it("needs a token with the role operate, and is a line of the log with its SQL", () =>
  onQueue(async (stage) => {
    const area = newArea(stage.root, "roles");
    const file = join(temporaryDirectory(), "tokens.json");
    const tokens = (["read", "operate"] as const).map((role) => ({
      name: role,
      role,
      token: `${role}-0123456789abcdef`,
    }));
    writeFileSync(file, JSON.stringify({ tokens }), { mode: 0o600 });
    const server = await startServer({ ...serverEnv(stage), MTJOBS_TOKENS_FILE: file });
    try {
      const url = `${server.url}/api/v1/areas/by-path/query?path=${area.directory}`;
      const asRole = (role: string) =>
        ask(url, {
          method: "POST",
          headers: { authorization: `Bearer ${role}-0123456789abcdef` },
          body: { sql: "SELECT 'who' AS asked" },
        });
      expect((await asRole("read")).body).toMatchObject({
        status: 403,
        detail: expect.stringContaining("operate"),
      });
      expect((await asRole("operate")).body.rows).toEqual([["who"]]);
      const lines = () =>
        server
          .stderr()
          .split("\n")
          .filter((line) => line.includes('"audit"'))
          .map((line) => JSON.parse(line).audit);
      await waitFor("two audit lines", () => lines().length === 2);
      expect(lines()).toMatchObject([
        { token: "read", area: area.directory, status: 403 },
        { token: "operate", area: area.directory, sql: "SELECT 'who' AS asked", status: 200 },
      ]);
    } finally {
      server.child.kill("SIGTERM");
      await server.finished;
    }
  }));

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { buildArea, type SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { edit, temporaryDirectory } from "../../support/area.ts";
import { type Answer, runReduce, withServerStage } from "../../support/queue.ts";

const served = withServerStage();
const mostBytes = 300_000;

/** Sends a request for a document about the area, and checks its size. */
async function get(
  area: SampleArea,
  suffix: string,
  query: Record<string, string | number> = {},
): Promise<Answer> {
  const search = new URLSearchParams({ path: area.directory, ...query });
  const answer = await served.call(`GET /api/v1/areas/by-path${suffix}?${search}`);
  expect(answer.status).toBe(200);
  expect(Buffer.byteLength(JSON.stringify(answer.body))).toBeLessThan(mostBytes);
  return answer;
}

function newArea(name: string, change: (db: Database.Database) => void): SampleArea {
  const directory = join(served.stage.root, name);
  const area = buildArea({
    ...{ directory, cacheRoot: temporaryDirectory(), user: "ann", host: "hostz" },
    ...{ runs: 3, testsPerRun: 2, withCache: false, unsynced: false, inFlight: 0 },
  });
  edit(area, ["area"], change);
  return area;
}

/** SQL: rows numbered from 1. */
const numbers = (most: number) =>
  `WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ${most})`;

const hostileNames = [
  `<script>alert(1)</script><img src=x onerror="x">&amp;"'`,
  "\u0000\u0001\u001b[31m\r\n\t\u007f\u2028\u202e",
  "🦥".repeat(2000),
  "x".repeat(4000),
  "'; DROP TABLE runs; --",
];

describe("runs with hostile records over HTTP", () => {
  it("are told as they are, markup and control characters included", async () => {
    const area = newArea("hostile", (db) => {
      db.exec("DELETE FROM runs");
      const insert = db.prepare(
        "INSERT INTO runs (sysname, runname, comment, event_time) VALUES (?, ?, ?, ?)",
      );
      for (const [index, name] of hostileNames.entries())
        insert.run("s", name, name.slice(0, 500), 1000 - index);
    });
    const { body } = await get(area, "/runs");
    expect(body.runs.map(({ runname }: { runname: string }) => runname)).toEqual(hostileNames);
    expect(body.runs.flatMap(({ cut }: { cut?: string[] }) => cut ?? [])).toEqual([]);
    await runReduce(area, { runname: "%" });
    const moved = (await get(area, "/runs", { where: "completed-runs.db" })).body;
    expect(moved.runs.map(({ runname }: { runname: string }) => runname)).toEqual(hostileNames);
  });

  it("may be invalid UTF-8, blobs and numbers", async () => {
    const area = newArea("bytes", (db) =>
      db.exec(`DELETE FROM runs; INSERT INTO runs (sysname, runname, state, status, event_time, comment) VALUES
        (CAST(X'61FF62' AS TEXT), CAST(X'C328' AS TEXT), X'00FF', 7, 4, 1.5),
        (X'41', X'42', X'43', X'44', X'45', X'46'),
        (NULL, NULL, NULL, NULL, NULL, NULL)`),
    );
    const { body } = await get(area, "/runs");
    expect(body.runs).toMatchObject([
      {
        target: "a\ufffdb//",
        runname: "\ufffd(",
        state: "\u0000\ufffd",
        status: "7",
        begunAt: 4,
        comment: "1.5",
      },
      { target: "//", runname: "", state: null, begunAt: null },
      { target: "A//", runname: "B", state: "C", status: "D", begunAt: null, comment: "F" },
    ]);
  });

  it("never make an answer of more than 300 kB, and say what is cut", async () => {
    const area = newArea("long", (db) => {
      const long = (sign: string) => `CAST(replace(hex(zeroblob(5000)), '0', ${sign}) AS TEXT)`;
      const [control, quote, wide] = ["char(1)", `'"'`, "char(129445)"].map(long);
      db.exec(`DELETE FROM runs; DELETE FROM tests; DELETE FROM test_steps; DELETE FROM test_data;
        ${numbers(300)} INSERT INTO runs (id, sysname, fsname, datapath, runname, state, status, owner, comment, event_time)
          SELECT i, ${wide}, ${quote}, ${control}, i || ${control}, ${quote}, ${wide}, ${control}, ${control}, i FROM n;
        ${numbers(300)} INSERT INTO tests (run_id, testname, item_path, state, status, host, comment, rundir, shortdir, final_logf, uname)
          SELECT 1, i || ${control}, ${control}, i || ${control}, ${control}, ${control}, ${control}, ${control},
            ${control}, ${control}, ${control} FROM n;
        ${numbers(100)} INSERT INTO test_steps (test_id, stepname, state, status, comment, logfile)
          SELECT (SELECT min(id) FROM tests), i || ${control}, ${control}, ${control}, ${control}, ${control} FROM n;
        ${numbers(100)} INSERT INTO test_data (test_id, category, variable, units, comment, status, type, value)
          SELECT (SELECT min(id) FROM tests), ${control}, i || ${control}, ${control}, ${control}, ${control}, ${control}, ${control} FROM n`);
    });
    const { body } = await get(area, "/runs", { limit: 200 });
    expect(body.runs.length).toBeGreaterThan(1);
    expect(body.runs[0].cut.sort()).toEqual(["comment", "owner", "runname", "state", "status", "target"]);
    expect([...body.runs[0].runname].slice(3).every((sign) => sign === "\u0001")).toBe(true);
    let pages = 0;
    const seen = new Set<number>();
    for (let cursor: string | null = null; pages === 0 || cursor !== null; pages++) {
      const page: { runs: { id: number }[]; next: string | null } = (
        await get(area, "/runs", { limit: 200, ...(cursor === null ? {} : { cursor }) })
      ).body;
      for (const { id } of page.runs) seen.add(id);
      cursor = page.next;
    }
    expect([seen.size, pages > 5]).toEqual([300, true]);
    const run = (await get(area, "/runs/1")).body;
    expect(run.tests.total).toBe(300);
    const tests = (await get(area, "/runs/1/tests", { limit: 500 })).body;
    const test = (await get(area, `/runs/1/tests/${tests.tests[0].id}`, { limit: 500 })).body;
    expect([test.steps.next, test.data.next]).toEqual([expect.any(String), expect.any(String)]);
    expect(test.test.cut).toContain("uname");
  });
});

/** Resident memory of the server, MB. */
function memoryOfServer(): number {
  const status = readFileSync(`/proc/${served.server.child.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

describe("100,000 runs over HTTP", () => {
  it("are found and paged in answers under 300 kB, while the server's memory stays flat", async () => {
    const area = newArea("large", (db) =>
      db.exec(`${numbers(100_000)} INSERT INTO runs (sysname, fsname, datapath, runname, state, event_time)
          SELECT 'ubuntu', 'nfs', 'v' || (i % 7), 'w' || i, 'new', 1000000 + (i * 7919) % 100003 FROM n;
        ${numbers(50_000)} INSERT INTO tests (run_id, testname, item_path, state, status)
          SELECT 1, 'test' || i, '', 'COMPLETED', iif(i % 100 = 0, 'FAIL', 'PASS') FROM n`),
    );
    await runReduce(area, { runId: [10, 500, 99_999] });
    const first = (await get(area, "/runs", { limit: 200, count: "true" })).body;
    expect([first.runs.length, first.counts]).toEqual([
      200,
      { "megatest.db": 100_000, "completed-runs.db": 3 },
    ]);
    expect((await get(area, "/runs", { runname: "w31337" })).body.runs).toHaveLength(1);
    const before = memoryOfServer();
    let { next: cursor, runs } = first;
    for (let page = 0; page < 30; page++) {
      const last = runs.at(-1).begunAt;
      const { body } = await get(area, "/runs", { limit: 200, cursor });
      expect([body.runs.length, body.runs[0].begunAt <= last]).toEqual([200, true]);
      ({ next: cursor, runs } = body);
    }
    const failed = (await get(area, "/runs/1/tests", { status: "FAIL", limit: 500 })).body;
    expect([failed.tests.length, failed.next]).toEqual([500, null]);
    expect((await get(area, "/runs/1")).body.tests).toMatchObject({ total: 50_002 });
    expect(memoryOfServer() - before).toBeLessThan(80);
  });
});

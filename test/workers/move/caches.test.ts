import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  addSecondCache,
  edit,
  makeCacheWal,
  makeRefillDue,
  newArea,
  readColumn,
} from "../../support/area.ts";
import { reduceSafely, runReduce, runReduceProcess } from "../../support/queue.ts";

/** The caches of users are told apart by who owns the directory; every test here runs as one user of these names. */
const other = "root";

function areaWithSecondCache(): { area: SampleArea; second: ReturnType<typeof addSecondCache> } {
  const area = newArea({ runs: 4, inFlight: 0, user: "ann" });
  return { area, second: addSecondCache(area, other) };
}

/** As if it had not been used for two days. */
function age(directory: string): void {
  const then = Date.now() / 1000 - 2 * 86_400;
  for (const name of readdirSync(directory)) utimesSync(join(directory, name), then, then);
}

describe.runIf(process.getuid?.() === 0)("another cache that may be this area's", () => {
  it("is named in the refusal where it changed within a day, and nothing is changed", async () => {
    const { area, second } = areaWithSecondCache();
    await expect(runReduce(area)).rejects.toMatchObject({
      code: "several-caches",
      exitCode: 3,
      message: expect.stringContaining(second.cacheDirectory),
    });
    expect(readdirSync(area.directory)).not.toContain("completed-runs.db");
    expect(readColumn(area.megatestDb, "SELECT name FROM sqlite_schema WHERE name LIKE 'mtjobs%'")).toEqual(
      [],
    );
  });

  it("does not matter once it is old, unused and holds nothing of its own", async () => {
    const { area, second } = areaWithSecondCache();
    bringUp(area, second.cacheDb);
    age(second.cacheDirectory);
    expect((await reduceSafely(area)).result.moved.runs).toBe(4);
    age(second.cacheDirectory);
    expect((await reduceSafely(area)).result.moved.runs).toBe(0);
  });

  it("is refused however old where it holds a row that megatest.db lacks", async () => {
    const { area, second } = areaWithSecondCache();
    bringUp(area, second.cacheDb);
    const db = new Database(second.cacheDb);
    db.exec("INSERT INTO test_steps (test_id, stepname, state) VALUES (1, 'unseen', 'end')");
    db.close();
    age(second.cacheDirectory);
    await expect(runReduce(area)).rejects.toMatchObject({
      code: "several-caches",
      message: expect.stringContaining(second.cacheDirectory),
    });
  });

  it("is refused for a row that came since it was found to hold nothing else", async () => {
    const { area, second } = areaWithSecondCache();
    bringUp(area, second.cacheDb);
    age(second.cacheDirectory);
    for (let n = 0; n < 2; n++)
      expect((await runReduce(area, { runname: "none" })).result.moved.runs).toBe(0);
    const db = new Database(second.cacheDb);
    db.exec("INSERT INTO test_steps (test_id, stepname, state) VALUES (1, 'unseen', 'end')");
    db.close();
    age(second.cacheDirectory);
    await expect(runReduce(area)).rejects.toMatchObject({ code: "several-caches" });
  });

  it("is refused for the last of more rows than one look takes in", async () => {
    const { area, second } = areaWithSecondCache();
    const many = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)
      INSERT INTO test_steps (test_id, stepname, state) SELECT 1, 'step ' || i, 'end' FROM n`;
    edit(area, ["cache", "ref", "area"], (db) => db.exec(many));
    bringUp(area, second.cacheDb);
    const db = new Database(second.cacheDb);
    db.exec(`${many}; INSERT INTO test_steps (test_id, stepname, state) VALUES (1, 'unseen', 'end')`);
    db.close();
    age(second.cacheDirectory);
    await expect(runReduce(area)).rejects.toMatchObject({ code: "several-caches" });
  });

  it("is refused while a process has it open", async () => {
    const { area, second } = areaWithSecondCache();
    bringUp(area, second.cacheDb);
    const holder = spawn("sleep", ["60"], {
      stdio: ["ignore", "ignore", "ignore", openSync(second.cacheDb, "r")],
    });
    await once(holder, "spawn");
    try {
      age(second.cacheDirectory);
      await expect(runReduce(area)).rejects.toMatchObject({
        code: "several-caches",
        message: expect.stringContaining(String(holder.pid)),
      });
    } finally {
      holder.kill();
    }
  });
});

describe("an area without a cache on this host", () => {
  it("is worked on in megatest.db alone; that is said, and no cache is made", async () => {
    const area = newArea({ runs: 6, withCache: false });
    const { result, story } = await reduceSafely(area);
    expect(result.moved.runs).toBe(4);
    expect(result.warnings.join()).toContain("no cache");
    expect(story.join()).toContain("no cache");
    expect(Object.keys(result.bytes)).toEqual(["megatest.db", "completed-runs.db"]);
    expect(existsSync(area.cacheDirectory)).toBe(false);
  });

  it("loses nothing where the cache was there and was cleaned away", async () => {
    const area = newArea({ runs: 6, unsynced: false });
    await reduceSafely(area, { runname: undefined, runId: [1] });
    rmSync(area.cacheRoot, { recursive: true });
    expect((await reduceSafely(area)).result.moved.runs).toBe(3);
    expect(existsSync(area.cacheRoot)).toBe(false);
  });

  it("has its ids guarded in megatest.db, where a new cache takes them from", async () => {
    const area = newArea({ runs: 4, inFlight: 0, withCache: false });
    await reduceSafely(area);
    expect(readColumn(area.megatestDb, "SELECT id FROM runs")).toEqual([5]);
  });
});

describe("a cache in WAL mode", () => {
  it("with a log that a dead writer left is not made to look newer by a job that is refused, nor by a dry run", async () => {
    const area = newArea({ runs: 3, cacheWal: true });
    const log = `${area.cacheDb}-wal`;
    const writer = new Database(area.cacheDb);
    writer.exec("UPDATE runs SET comment = 'logged'");
    const bytes = readFileSync(log);
    writer.close();
    writeFileSync(log, bytes);
    edit(area, ["area"], (db) =>
      db.exec("INSERT INTO runs (id, runname, state) VALUES (9223372036854775807, 'last', 'new')"),
    );
    makeRefillDue(area);
    const then = Date.now() / 1000 - 120;
    utimesSync(log, then, then);
    const expectUntouched = () => {
      expect(statSync(area.cacheDb).mtimeMs / 1000).toBeLessThan(then + 60);
      expect(readFileSync(log)).toHaveLength(bytes.length);
    };
    for (const dryRun of [true, false]) {
      await expect(runReduce(area, { dryRun })).rejects.toMatchObject({ code: "ids-used-up" });
      expectUntouched();
    }
    edit(area, ["area"], (db) => db.exec("DELETE FROM runs WHERE runname = 'last'"));
    makeRefillDue(area);
    utimesSync(log, then, then);
    await runReduce(area, { dryRun: true });
    expectUntouched();
  });

  it("is reduced like any other and stays in that mode", async () => {
    const area = newArea({ runs: 6 });
    makeCacheWal(area);
    expect((await reduceSafely(area)).result.moved.runs).toBe(4);
    expect(readColumn(area.cacheDb, "PRAGMA journal_mode")).toEqual(["wal"]);
  });
});

describe("a host that is not the homehost", () => {
  it("is refused with the homehost's name, before anything is written", async () => {
    const area = newArea({ runs: 4, inFlight: 0, host: "host-b" });
    const refusal = {
      code: "not-home",
      exitCode: 3,
      message: expect.stringContaining("host-b"),
      hint: expect.stringContaining("set MTJOBS_ADDRESS=host-b"),
    };
    await expect(runReduce(area, {}, { host: "host-a" })).rejects.toMatchObject(refusal);
    await expect(runReduce(area, { dryRun: true }, { host: "host-a" })).rejects.toMatchObject(refusal);
    expect(readdirSync(area.directory)).not.toContain(".mtjobs");
  });

  it("is told both addresses, and the setting that makes it the homehost", async () => {
    const area = newArea({ runs: 4, inFlight: 0, host: "10.1.1.7" });
    await expect(runReduce(area, {}, { host: "127.0.1.1" })).rejects.toMatchObject({
      code: "not-home",
      hint: expect.stringMatching(
        /10\.1\.1\.7.*this host is 127\.0\.1\.1 \(127\.0\.1\.1\).*MTJOBS_ADDRESS=10\.1\.1\.7/,
      ),
      details: { homehost: "10.1.1.7", address: "127.0.1.1" },
    });
  });

  it("is at home by a loopback address that its name resolves to, and says so where it has no cache", async () => {
    const area = newArea({ runs: 4, inFlight: 0, host: "127.0.0.1" });
    const { result } = await runReduce(area, {}, { host: "localhost" });
    expect(result.moved.runs).toBe(4);
    expect(result.warnings).toEqual([]);
    const bare = newArea({ runs: 4, inFlight: 0, host: "127.0.0.1", withCache: false });
    const { warnings } = (await runReduce(bare, {}, { host: "localhost" })).result;
    expect(warnings.join()).toContain("several hosts may take for their own");
  });

  it("ends the command with exit code 3 and the error as JSON", async () => {
    const area = newArea({ runs: 4, inFlight: 0, host: "host-b" });
    const { code, stdout } = await runReduceProcess({ ...area, host: "host-a" }, ["--runname", "%"]);
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: "not-home", details: { homehost: "host-b" } },
    });
  });
});

/** Gives megatest.db every row of the cache, so that a copy of it holds nothing more. */
function bringUp(area: SampleArea, cacheDb: string): void {
  const db = new Database(area.megatestDb);
  db.pragma("foreign_keys = OFF");
  db.prepare("ATTACH ? AS cache").run(cacheDb);
  for (const table of ["runs", "tests", "test_steps", "test_data"]) {
    db.exec(`INSERT OR IGNORE INTO ${table} SELECT * FROM cache.${table}`);
  }
  db.close();
}

describe("an area without a homehost", () => {
  it.each(["missing", "empty"])(
    "is worked on here, and the result says so, where .homehost is %s",
    async (how) => {
      const area = newArea({ runs: 4, inFlight: 0 });
      const file = join(area.directory, ".homehost");
      rmSync(file);
      if (how === "empty") writeFileSync(file, "");
      const { result, story } = await reduceSafely(area);
      expect(result.moved.runs).toBe(4);
      expect(result.warnings).toEqual([expect.stringContaining("the area has no homehost")]);
      expect(story.join()).toContain("the job assumes host-a");
      expect(existsSync(file)).toBe(how === "empty");
    },
  );
});

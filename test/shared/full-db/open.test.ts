import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { FullDb } from "../../../producers/full-db/full-db.ts";
import { locateFiles } from "../../../producers/full-db/locate.ts";
import { resolveSettings } from "../../../shared/settings/settings.ts";
import { edit, fingerprint, makeRefillDue, newArea } from "../../support/area.ts";
import { divideArea, fullRows, readFilesOf } from "../../support/queue.ts";

function locate(area: SampleArea, host = area.host) {
  const settings = resolveSettings({ flags: { host, user: area.user, cacheRoot: area.cacheRoot } });
  return locateFiles(area.directory, { settings, env: {} });
}

describe("the files that queries read", () => {
  it("are the cache on the homehost, and megatest.db elsewhere or where the cache is gone or stale", async () => {
    const area = newArea();
    edit(area, ["cache"], (db) => db.exec("UPDATE runs SET comment = 'fresh' WHERE id = 1"));
    const { files } = await locate(area);
    expect([files.source, files.main]).toEqual(["cache", area.cacheDb]);
    expect(fullRows(files, "SELECT comment FROM runs WHERE id = 1")).toEqual([{ comment: "fresh" }]);
    const elsewhere = (await locate(area, "host-b")).files;
    expect([elsewhere.source, elsewhere.main]).toEqual(["megatest.db", area.megatestDb]);
    makeRefillDue(area);
    expect((await locate(area)).files.source).toBe("megatest.db");
    rmSync(area.cacheDirectory, { recursive: true });
    expect((await locate(area)).files.source).toBe("megatest.db");
  });

  it("have megatest.db's columns also where the cache was made with others", async () => {
    const area = newArea();
    edit(area, ["area"], (db) => db.exec("ALTER TABLE tests ADD COLUMN priority INTEGER DEFAULT 7"));
    edit(area, ["cache"], (db) => db.exec("ALTER TABLE tests ADD COLUMN own TEXT"));
    const db = new FullDb(readFilesOf(area));
    const { columns } = db.prepare("SELECT * FROM tests");
    expect(columns.at(-1)).toBe("priority");
    expect(columns).not.toContain("own");
    expect(db.prepare("SELECT DISTINCT priority FROM tests").all()).toEqual([{ priority: 7 }]);
    db.close();
  });

  it.each([
    ["rollback", false],
    ["WAL", true],
  ] as const)("are left as they were, with no file beside them, in %s mode", async (_, cacheWal) => {
    const { area, files } = await divideArea([1, 2], { cacheWal });
    const before = fingerprint(area.directory, area.cacheDirectory);
    const db = new FullDb(files);
    expect(db.prepare("SELECT count(*) AS n FROM runs").get()).toEqual({ n: 12 });
    db.close();
    db.close();
    expect(fingerprint(area.directory, area.cacheDirectory)).toEqual(before);
  });

  it("may be written in WAL mode by others before and after", async () => {
    const { area, files } = await divideArea([1, 2], { cacheWal: true });
    const writer = new Database(files.main);
    writer.exec("UPDATE runs SET comment = 'one' WHERE id = 5");
    const beside = readdirSync(area.cacheDirectory);
    const sql = "SELECT comment FROM runs WHERE id = 5";
    expect(fullRows(files, sql)).toEqual([{ comment: "one" }]);
    expect(readdirSync(area.cacheDirectory)).toEqual(beside);
    const db = new FullDb(files);
    writer.exec("UPDATE runs SET comment = 'two' WHERE id = 5");
    expect(db.prepare(sql).all()).toEqual([{ comment: "two" }]);
    db.close();
    writer.close();
  });

  it("are refused as busy, and not rolled back, where a writer died and left a hot journal", async () => {
    const { files } = await divideArea([1, 2]);
    // More rows than the page cache holds, so that the writer has put some into the file.
    const script = `const db = require(${JSON.stringify(join(process.cwd(), "node_modules/better-sqlite3"))})(process.argv[1]);
      db.pragma("cache_size = 1"); db.exec("BEGIN; UPDATE test_steps SET comment = hex(randomblob(200))");
      process.kill(process.pid, "SIGKILL");`;
    await once(spawn(process.execPath, ["-e", script, files.main], { stdio: "ignore" }), "exit");
    expect(existsSync(`${files.main}-journal`)).toBe(true);
    expect(() => fullRows(files, "SELECT count(*) FROM runs")).toThrow(
      expect.objectContaining({ code: "busy" }),
    );
    expect(existsSync(`${files.main}-journal`)).toBe(true);
    new Database(files.main).exec("SELECT count(*) FROM runs").close();
    expect(fullRows(files, "SELECT count(*) AS n FROM runs")).toEqual([{ n: 12 }]);
  });

  it("are refused if they are not databases of Megatest", async () => {
    const { files } = await divideArea([]);
    new Database(`${files.main}.other`).exec("CREATE TABLE runs (id)").close();
    expect(() => new FullDb({ ...files, main: `${files.main}.other` })).toThrow(
      expect.objectContaining({ code: "unknown-schema" }),
    );
  });
});

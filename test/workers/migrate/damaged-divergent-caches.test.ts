import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { openArea } from "../../../shared/area/area.ts";
import { lastMigrationOf } from "../../../workers/migrate/state/open-migrations.ts";
import { awaitWatch } from "../../../workers/migrate/steps/finish.ts";
import { watchOldHome } from "../../../workers/migrate/steps/watch-old-home.ts";
import { readColumn, temporaryDirectory } from "../../support/area.ts";
import {
  buildForTwo,
  closeByHand,
  contextOn,
  isClosed,
  migrationRow,
  seenFromSide,
  switchByHand,
} from "../../support/hosts.ts";
import { historyOf } from "../../support/queue.ts";

/** A migration whose home has moved, before the old home is watched. */
async function switched() {
  const { area, place } = buildForTwo(temporaryDirectory());
  const o = { ...place, jobId: "migrate-1" };
  await closeByHand(o);
  await switchByHand(o);
  const opened = openArea(area.directory);
  const row = await lastMigrationOf(opened, contextOn("old", o));
  if (row === undefined) throw new Error("not migrated");
  const directory = join(area.directory, ".mtjobs", "migration", String(row.token));
  const watch = () => watchOldHome(opened, row, contextOn("old", o));
  const end = () => awaitWatch({ area: area.directory, migration: o.jobId }, contextOn("new", o));
  const there = seenFromSide(area, place.root, "new");
  return { area, there, directory, watch, end, stray: (n: number) => join(directory, `stray-${n}.db`) };
}

/** A process of the old home that drops what stops it, and writes to the cache. */
function writeByForce(file: string, sql: string): void {
  const db = new Database(file, { fileMustExist: true });
  db.exec(`DROP TRIGGER mtjobs_closed_update_tests; DROP TRIGGER mtjobs_closed_insert_runs; ${sql}`);
  db.close();
}

const lateWrite = "UPDATE tests SET comment = 'late' WHERE id = 2";

/** What a failing disk does to a page of a table. */
async function damage(file: string, table = "test_steps"): Promise<void> {
  const db = new Database(file, { readonly: true });
  const root = db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = ?").pluck().get(table) as number;
  const size = db.pragma("page_size", { simple: true }) as number;
  db.close();
  const handle = await open(file, "r+");
  await handle.write(Buffer.alloc(64, 0xff), 0, 64, (root - 1) * size);
  await handle.close();
}

const comment = (file: string) => readColumn(file, "SELECT comment FROM tests WHERE id = 2")[0];

describe("a divergent cache that cannot be merged is kept and named, and the migration settles", () => {
  it("if a page of it is damaged; the one that was written to elsewhere is merged", async () => {
    const at = await switched();
    writeByForce(at.area.cacheDb, lateWrite);
    await at.watch();
    const damaged = at.stray(2);
    writeFileSync(damaged, "");
    await new Database(at.area.megatestDb, { readonly: true }).backup(damaged);
    await damage(damaged);
    const report = await at.end();
    const warning = expect.stringContaining(`${damaged} was not merged, and is kept: it is damaged: `);
    expect(report).toMatchObject({ settled: true, strays: { merged: 1 }, warnings: [warning] });
    expect([at.there.cacheDb, at.area.megatestDb].map(comment)).toEqual(["late", "late"]);
    expect(readdirSync(at.directory)).toEqual(["stray-2.db"]);
    expect(migrationRow(at.area)?.state).toBe("settled");
    expect(historyOf(at.area).at(-1)).toMatchObject({ outcome: "migrated", warnings: [warning] });
  });

  it("if the old home's cache was damaged after somebody had written to it: it is copied once", async () => {
    const at = await switched();
    writeByForce(at.area.cacheDb, lateWrite);
    await damage(at.area.cacheDb);
    await at.watch();
    await at.watch();
    expect(isClosed(at.area.cacheDb)).toBe(true);
    expect(await at.end()).toMatchObject({ settled: true, warnings: [expect.stringContaining(at.stray(1))] });
    expect(existsSync(at.stray(1))).toBe(true);
    expect(existsSync(at.stray(2))).toBe(false);
  });

  it("if the old home's cache is no database any more: it stays on that host", async () => {
    const at = await switched();
    writeFileSync(at.area.cacheDb, "no database at all\n".repeat(999));
    await at.watch();
    const warning = expect.stringContaining(`${at.area.cacheDirectory} is not merged: `);
    expect(await at.end()).toMatchObject({ settled: true, warnings: [warning] });
    expect(existsSync(at.directory)).toBe(false);
    expect(existsSync(at.area.cacheDb)).toBe(true);
  });

  it("but its rows are merged if only its ref is damaged", async () => {
    const at = await switched();
    writeByForce(at.area.cacheDb, "INSERT INTO runs (runname, state, event_time) VALUES ('late', 'new', 5)");
    writeFileSync(at.area.refDb, "no database at all\n".repeat(999));
    // As an attempt at another cache may have left it.
    writeFileSync(at.stray(1).replace(/\.db$/, "-ref.db"), "");
    await at.watch();
    expect(existsSync(at.stray(1))).toBe(true);
    expect(existsSync(at.stray(1).replace(/\.db$/, "-ref.db"))).toBe(false);
    expect(await at.end()).toMatchObject({ settled: true, strays: { merged: 1 } });
    const late = "SELECT count(*) FROM runs WHERE runname = 'late'";
    expect([at.there.cacheDb, at.area.megatestDb].flatMap((file) => readColumn(file, late))).toEqual([1, 1]);
  });

  it("unless what is damaged is a database of the home: the migration does not settle", async () => {
    const at = await switched();
    writeByForce(at.area.cacheDb, lateWrite);
    await at.watch();
    // Of the archives only the merge reads it.
    await damage(at.there.cacheDb, "archives");
    await expect(at.end()).rejects.toMatchObject({ code: "corrupt" });
    expect(existsSync(at.stray(1))).toBe(true);
    expect(migrationRow(at.area)?.state).toBe("switched");
  });

  it.each([
    {
      what: "it is no database",
      make: (file: string) => writeFileSync(file, "no database at all\n".repeat(999)),
    },
    {
      what: "a journal lies beside it",
      make: (file: string) => void [file, `${file}-journal`].map((path) => writeFileSync(path, "")),
    },
    {
      what: "a table of it lacks a column",
      make: (file: string) =>
        void new Database(file).exec("CREATE TABLE tests (id INTEGER PRIMARY KEY, run_id INTEGER)"),
    },
    {
      what: "a table of it that describes the area lacks a column",
      make: (file: string) => void new Database(file).exec("CREATE TABLE keys (id INTEGER PRIMARY KEY)"),
    },
  ])("if $what", async ({ make }) => {
    const at = await switched();
    await at.watch();
    make(at.stray(1));
    const warning = expect.stringContaining(`${at.stray(1)} was not merged, and is kept: `);
    expect(await at.end()).toMatchObject({ settled: true, warnings: [warning] });
    expect(existsSync(at.stray(1))).toBe(true);
    expect(migrationRow(at.area)?.state).toBe("settled");
  });
});

it("a migration that cannot end because a database of the home is damaged says that the homehost has moved", async () => {
  const at = await switched();
  writeByForce(at.area.cacheDb, lateWrite);
  await at.watch();
  await damage(at.there.cacheDb);
  await expect(at.end()).rejects.toMatchObject({
    code: "corrupt",
    message: expect.stringMatching(
      /^the homehost has moved to 10\.9\.0\.2, but the migration has not ended: damaged database: /,
    ),
  });
});

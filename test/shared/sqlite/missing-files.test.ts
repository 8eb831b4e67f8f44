import { chownSync, existsSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { attach, openConnection, openReadonlyConnection } from "../../../shared/sqlite/connection.ts";
import { ensureCompletedDb } from "../../../workers/area-db/completed-db.ts";
import { attachDivergent } from "../../../workers/migrate/merge/match-rows.ts";
import { copyDatabase } from "../../../workers/migrate/pair/copy-database.ts";
import { withPairGuard } from "../../../workers/migrate/pair/pair-guard.ts";
import { isRoot, nobody, settingsFor, temporaryDirectory } from "../../support/area.ts";

const never = new AbortController().signal;

/** A directory with one database `there`, and a name without a file. */
function scene() {
  const directory = temporaryDirectory();
  const there = join(directory, "there.db");
  const db = new Database(there);
  db.exec("CREATE TABLE runs (id INTEGER PRIMARY KEY)");
  db.close();
  return { directory, there, gone: join(directory, "gone ? # % é.db") };
}

describe("a database that cannot be attached", () => {
  it("is not left attached where what comes after that fails, so that it may be tried again", () => {
    const { directory, there } = scene();
    const db = openConnection({});
    db.exec("BEGIN");
    expect(() => attach(db, "cache", there)).toThrow("inside a transaction");
    db.exec("COMMIT");
    attach(db, "cache", there);
    db.close();
    expect(readdirSync(directory)).toEqual(["there.db"]);
  });
});

describe("a database that is gone when it is opened", () => {
  it("is not made by opening it, and the error names it", () => {
    const { directory, there, gone } = scene();
    expect(() => openConnection({ area: there, cache: gone })).toThrow(gone);
    expect(() => openReadonlyConnection({ area: there, cache: gone })).toThrow(gone);
    const db = openConnection({ area: there });
    expect(() => attach(db, "cache", gone)).toThrow(gone);
    expect(() => attachDivergent(db, { divergent: gone, base: undefined })).toThrow(gone);
    db.close();
    expect(readdirSync(directory)).toEqual(["there.db"]);
  });

  it("is not made as completed-runs.db, nor as what that is made of", () => {
    const { directory, there, gone } = scene();
    expect(() => ensureCompletedDb(gone, [there])).toThrow("unable to open database file");
    expect(() => ensureCompletedDb(there, [gone])).toThrow(gone);
    expect(readdirSync(directory)).toEqual(["there.db"]);
  });

  it("is not made as the target of a copy that was to replace its content", async () => {
    const { directory, there, gone } = scene();
    await expect(copyDatabase(there, gone, never)).rejects.toMatchObject({
      code: "io",
      message: expect.stringContaining(gone),
    });
    expect(readdirSync(directory)).toEqual(["there.db"]);
  });

  it("is read and written by its name, whatever is in that name", () => {
    const { there, gone } = scene();
    renameSync(there, gone);
    const db = openConnection({ area: gone });
    db.exec("INSERT INTO area.runs VALUES (1)");
    db.close();
    const connection = openReadonlyConnection({ area: gone });
    expect(connection.prepare("SELECT count(*) FROM area.runs").pluck().get()).toBe(1);
    expect(() => connection.exec("INSERT INTO area.runs VALUES (2)")).toThrow("readonly");
    connection.close();
  });
});

describe("the guard of a host's caches", () => {
  it("is not opened through a link in its place, nor created at the link's target", async () => {
    const { directory } = scene();
    const settings = settingsFor({ cacheRoot: directory, user: "ann" });
    await withPairGuard(settings, async () => {});
    const guard = join(directory, "ann/megatest_localdb/.mtjobs-guard.db");
    rmSync(guard);
    symlinkSync(join(directory, "elsewhere"), guard);
    await expect(withPairGuard(settings, async () => {})).rejects.toMatchObject({ code: "not-owner" });
    expect(existsSync(join(directory, "elsewhere"))).toBe(false);
    writeFileSync(join(directory, "elsewhere"), "");
    await expect(withPairGuard(settings, async () => {})).rejects.toMatchObject({ code: "not-owner" });
  });

  it.runIf(isRoot)(
    "is not opened where it is somebody else's, who may have put a journal beside it",
    async () => {
      const { directory } = scene();
      const settings = settingsFor({ cacheRoot: directory, user: "ann" });
      await withPairGuard(settings, async () => {});
      const guard = join(directory, "ann/megatest_localdb/.mtjobs-guard.db");
      chownSync(guard, nobody, nobody);
      await expect(withPairGuard(settings, async () => {})).rejects.toMatchObject({ code: "not-owner" });
    },
  );
});

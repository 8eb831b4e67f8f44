import { execFileSync } from "node:child_process";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { mergeCache } from "../../../workers/migrate/merge/merge-cache.ts";
import { repairOverwritten } from "../../../workers/migrate/merge/repair-overwritten.ts";
import {
  assertNothingLost,
  edit,
  everywhere,
  fileOf,
  newArea,
  readColumn,
  settleTimes,
  temporaryDirectory,
} from "../../support/area.ts";
import { buildForTwo, migrateByHand, seenFromSide } from "../../support/hosts.ts";
import { runReduce, unionOf, withMove } from "../../support/queue.ts";

/** What the shell takes, with text in double quotes; see test/workers/move/site-schema.test.ts. */
const site = `CREATE TABLE site_log (what TEXT);
  CREATE INDEX site_partial ON tests (status) WHERE state = "COMPLETED";
  CREATE VIEW site_view AS SELECT "text" AS word FROM tests;
  ${["INSERT", "UPDATE", "DELETE"]
    .flatMap((event) =>
      ["runs", "tests", "test_steps", "keys", "metadat"].map(
        (table) => `CREATE TRIGGER site_${event}_${table} AFTER ${event} ON ${table} WHEN "a" <> "b"
          BEGIN INSERT INTO site_log VALUES ("${event}"); END;`,
      ),
    )
    .join("\n")}`;

it("an area with text in double quotes in its schema moves to another homehost with all of it", async () => {
  const root = temporaryDirectory();
  const { area, place } = buildForTwo(root, { unsynced: false });
  for (const file of everywhere) execFileSync("sqlite3", [fileOf(area, file), site]);
  execFileSync("sqlite3", [area.cacheDb, "UPDATE tests SET comment = 'here' WHERE id = 1"]);
  const before = unionOf(area);
  await migrateByHand({ ...place, jobId: "m-1" });
  const there = seenFromSide(area, root, "new");
  assertNothingLost(before, unionOf(there), { anyLastUpdate: true });
  expect(readColumn(there.megatestDb, "SELECT comment FROM tests WHERE id = 1")).toEqual(["here"]);
  const added = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'site%'";
  expect(readColumn(there.cacheDb, added)).toEqual([18]);
  expect((await runReduce(there)).result.moved.runs).toBe(3);
  assertNothingLost(before, unionOf(there), { anyLastUpdate: true });
});

it("an area moves with a table that only the site's programs can compute", async () => {
  const root = temporaryDirectory();
  const { area, place } = buildForTwo(root, { unsynced: false });
  edit(area, everywhere, (db) => {
    db.function("site_sound", { deterministic: true }, (text) => String(text));
    db.exec("CREATE TABLE site_sounds (word TEXT, sound TEXT AS (site_sound(word)) VIRTUAL)");
    db.exec("INSERT INTO site_sounds (word) VALUES ('moo')");
  });
  const words = (file: string) => readColumn(file, "SELECT word FROM site_sounds");
  await migrateByHand({ ...place, jobId: "m-1" });
  const there = seenFromSide(area, root, "new");
  expect(words(there.cacheDb)).toEqual(["moo"]);
  const { result } = await runReduce(there);
  expect([result.moved.runs, result.warnings]).toEqual([
    3,
    ['completed-runs.db has no "site_sounds": no such function: site_sound'],
  ]);
});

it("a divergent cache is merged if triggers have text in double quotes", async () => {
  const home = newArea({ runs: 4, testsPerRun: 3, inFlight: 0, unsynced: false });
  const divergent = join(home.directory, "stray.db");
  copyFileSync(home.cacheDb, divergent);
  execFileSync("sqlite3", [
    divergent,
    `UPDATE tests SET comment = 'stray' WHERE id = 1; UPDATE metadat SET val = '9' WHERE var = 'MEGATEST_VERSION';
     INSERT INTO runs (id, runname) VALUES (50, 'new')`,
  ]);
  const base = join(home.directory, "base.db");
  copyFileSync(home.refDb, base);
  for (const file of everywhere) execFileSync("sqlite3", [fileOf(home, file), site]);
  settleTimes(home);
  await withMove(home, async (session) => {
    expect((await mergeCache({ session, divergent, base })).merged).toBe(3);
    await repairOverwritten(session);
  });
  for (const file of [home.cacheDb, home.megatestDb]) {
    expect(readColumn(file, "SELECT comment FROM tests WHERE id = 1")).toEqual(["stray"]);
    expect(readColumn(file, "SELECT runname FROM runs WHERE id = 50")).toEqual(["new"]);
    expect(
      readColumn(file, "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'site%'"),
    ).toEqual([15]);
  }
});

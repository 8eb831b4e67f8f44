import { copyFileSync, cpSync } from "node:fs";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import { cacheDirectoryOf } from "../../../producers/demo/sample-area/area-files.ts";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { firstTestOf } from "./area-traits.ts";
import { edit, everywhere, settleTimes } from "./edit-area.ts";

/** Values and files that break careless copying. */

/** Text that breaks naive quoting, patterns and encodings; the last two are not valid UTF-8 and contain a NUL. */
export const oddTexts: readonly Buffer[] = [
  Buffer.from(`it's "quoted", \`ticked\``),
  Buffer.from("two\nlines\r\nand a\ttab"),
  Buffer.from("100% _wild_ *glob* [set] \\"),
  Buffer.from("'); DROP TABLE runs; --"),
  Buffer.from("größer 測試 🙂"),
  Buffer.from([0x66, 0xff, 0xfe, 0x80, 0x6f]),
  Buffer.from([0x61, 0x00, 0x62, 0x27, 0x00]),
];

/** Adds every odd text to comments, and unexpected blobs, large integers and reals, in all databases. */
export function addOddValues(area: SampleArea, runId: number): void {
  const testId = firstTestOf(area, runId);
  edit(area, everywhere, (db) => {
    for (const [index, text] of oddTexts.entries()) {
      db.prepare(
        `INSERT INTO test_data (test_id, category, variable, comment, value)
         VALUES (?, 'odd', CAST(? AS TEXT), CAST(? AS TEXT), ?)`,
      ).run(testId, text, text, 0.1 * index);
    }
    db.prepare("UPDATE runs SET comment = CAST(? AS TEXT) WHERE id = ?").run(oddTexts[5], runId);
    db.prepare("UPDATE test_steps SET comment = CAST(? AS TEXT), logfile = x'00ff27' WHERE test_id = ?").run(
      oddTexts[6],
      testId,
    );
    db.prepare(
      "UPDATE tests SET logdat = x'deadbeef00', diskfree = ?, cpuload = 1e300, attemptnum = 'many' WHERE id = ?",
    ).run(2n ** 63n - 1n, testId);
    const value = db.prepare(
      "INSERT INTO test_data (test_id, category, variable, value, expected, tol) VALUES (?, 'odd', ?, ?, ?, ?)",
    );
    value.run(testId, "reals", 0.1 + 0.2, -0.0, 5e-324);
    value.run(testId, "integers", -(2n ** 63n), 2n ** 53n + 1n, 1n);
    value.run(testId, "not numbers", "text", Buffer.from([1, 0, 2]), Number.POSITIVE_INFINITY);
  });
}

/** Adds NULL to columns of unique constraints: two measurements, two steps and a key of the run. */
export function addNullKeys(area: SampleArea, runId: number): void {
  const testId = firstTestOf(area, runId);
  edit(area, everywhere, (db) => {
    for (const value of [1, 2]) {
      db.prepare(
        "INSERT INTO test_data (test_id, category, variable, value) VALUES (?, 'null', NULL, ?)",
      ).run(testId, value);
      db.prepare(
        "INSERT INTO test_steps (test_id, stepname, state, comment) VALUES (?, 'null', NULL, ?)",
      ).run(testId, `number ${value}`);
    }
    const key = area.keys.at(-1);
    if (key !== undefined) db.prepare(`UPDATE runs SET "${key}" = NULL WHERE id = ?`).run(runId);
  });
}

/** Adds a copy of the cache pair for another user. Returns its paths. */
export function addSecondCache(
  area: SampleArea,
  user: string,
): { cacheDirectory: string; cacheDb: string; refDb: string } {
  const cacheDirectory = cacheDirectoryOf({ ...area, user });
  cpSync(dirname(area.cacheDb), cacheDirectory, { recursive: true, preserveTimestamps: true });
  return {
    cacheDirectory,
    cacheDb: area.cacheDb.replace(area.cacheDirectory, cacheDirectory),
    refDb: area.refDb.replace(area.cacheDirectory, cacheDirectory),
  };
}

export function makeCacheWal(area: SampleArea): void {
  const db = new Database(area.cacheDb);
  db.pragma("journal_mode = WAL");
  db.close();
  settleTimes(area);
}

/** Leaves megatest.db as a writer killed during its commit does: with half of its pages. */
export function leaveHotJournal(area: SampleArea): void {
  const copies = ["", "-journal"].map(
    (suffix) => [`${area.megatestDb}${suffix}`, `${area.directory}/torn${suffix}`] as const,
  );
  const db = new Database(area.megatestDb);
  db.pragma("cache_size = 1");
  db.pragma("synchronous = FULL");
  db.exec("BEGIN; UPDATE test_steps SET comment = 'torn' || id; UPDATE test_data SET comment = 'torn' || id");
  for (const [file, copy] of copies) copyFileSync(file, copy);
  db.exec("ROLLBACK");
  db.close();
  for (const [file, copy] of copies) copyFileSync(copy, file);
}

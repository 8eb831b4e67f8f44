import { execFileSync } from "node:child_process";
import { linkSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, it } from "vitest";
import { copyPrivately } from "../../../shared/sqlite/private-copy.ts";
import { errorOf, temporaryDirectory } from "../../support/area.ts";

const uid = process.geteuid?.() ?? 0;
const library = createRequire(import.meta.url).resolve("better-sqlite3");

/** Whether another process may begin to write. */
function isFree(file: string): boolean {
  const script = `const D = require(${JSON.stringify(library)}); const db = new D(process.argv[1], { timeout: 0 });
    try { db.exec("BEGIN IMMEDIATE"); process.stdout.write("free"); } catch (error) { process.stdout.write(error.code); }`;
  return execFileSync(process.execPath, ["-e", script, file], { encoding: "utf8" }) === "free";
}

it("a database that a cache's link or second name leads to keeps the locks that this process has on it", () => {
  const file = join(temporaryDirectory(), "megatest.db");
  const db = new Database(file);
  db.exec("CREATE TABLE runs (id INTEGER PRIMARY KEY); BEGIN IMMEDIATE");
  expect(isFree(file)).toBe(false);
  // A link is followed before: its owner is not whose cache it is said to be.
  expect(errorOf(() => copyPrivately(file, { uid: uid + 1, maxBytes: 2 ** 20 })).code).toBe("not-owner");
  expect(isFree(file)).toBe(false);
  linkSync(file, `${file}-other`);
  expect(errorOf(() => copyPrivately(`${file}-other`, { uid, maxBytes: 2 ** 20 })).code).toBe("not-owner");
  expect(isFree(file)).toBe(false);
  db.close();
});

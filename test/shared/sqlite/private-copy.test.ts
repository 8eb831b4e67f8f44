import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chownSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { JobsError } from "../../../shared/errors.ts";
import { copyPrivately } from "../../../shared/sqlite/private-copy.ts";
import { errorOf, isRoot, nobody, plantJournal, temporaryDirectory } from "../../support/area.ts";

const uid = process.geteuid?.() ?? 0;
const expected = { uid, maxBytes: 2 ** 20 };

let root: string;
let file: string;
const { TMPDIR } = process.env;

beforeEach(() => {
  root = temporaryDirectory();
  process.env.TMPDIR = join(root, "tmp");
  mkdirSync(process.env.TMPDIR);
  file = join(root, "theirs/megatest.db");
  mkdirSync(join(root, "theirs"));
  const db = new Database(file);
  db.exec("CREATE TABLE runs (id INTEGER PRIMARY KEY, runname TEXT); INSERT INTO runs VALUES (1, 'first')");
  db.close();
});

afterEach(() => {
  vi.useRealTimers();
  if (TMPDIR === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = TMPDIR;
});

function read(): unknown[] {
  const copy = copyPrivately(file, expected);
  const db = new Database(copy.file, { readonly: true });
  try {
    expect(db.pragma("journal_mode", { simple: true })).toBe("delete");
    return db.prepare("SELECT runname FROM runs ORDER BY id").pluck().all();
  } finally {
    db.close();
    expect(readdirSync(join(copy.file, ".."))).toEqual(["copy.db"]);
    copy.remove();
    expect(readdirSync(join(root, "tmp"))).toEqual([]);
  }
}

/** Files as a process leaves them that is killed in the midst of a transaction. */
function leaveTorn(mode: "wal" | "delete"): void {
  const db = new Database(file);
  db.pragma(`journal_mode = ${mode}`);
  db.pragma("cache_size = 1");
  db.exec("INSERT INTO runs VALUES (2, 'second')");
  if (mode === "delete") {
    db.exec(`BEGIN; UPDATE runs SET runname = 'torn'`);
    db.exec(
      "CREATE TABLE large (text); INSERT INTO large SELECT hex(zeroblob(3000)) FROM (VALUES (1), (2), (3), (4), (5))",
    );
  }
  cpSync(join(root, "theirs"), join(root, "torn"), { recursive: true });
  db.close();
  rmSync(join(root, "theirs"), { recursive: true });
  cpSync(join(root, "torn"), join(root, "theirs"), { recursive: true });
}

const content = () =>
  readdirSync(join(root, "theirs"))
    .sort()
    .map((name) => [name, readFileSync(join(root, "theirs", name)).toString("latin1")]);

describe("a private copy of somebody else's database", () => {
  it("holds what is in the database, with what is in its log alone", () => {
    expect(read()).toEqual(["first"]);
    leaveTorn("wal");
    expect(existsSync(`${file}-wal`)).toBe(true);
    const before = content();
    expect(read()).toEqual(["first", "second"]);
    expect(content()).toEqual(before);
  });

  it("is rolled back where a dead writer left a journal, and the original is not", () => {
    leaveTorn("delete");
    expect(existsSync(`${file}-journal`)).toBe(true);
    const before = content();
    expect(read()).toEqual(["first", "second"]);
    expect(content()).toEqual(before);
  });

  it("is not opened with a journal that names another file, and that file stays", () => {
    // SQLite 3.54 removes only files of such names that name the journal; earlier ones, as in Megatest, any file.
    const victim = join(root, "victim-mj000000900");
    writeFileSync(victim, `${file}-journal\0`);
    plantJournal(file, victim);
    expect(errorOf(() => copyPrivately(file, expected))).toMatchObject({
      code: "corrupt",
      message: expect.stringContaining("names another file, which SQLite would remove"),
    });
    expect(existsSync(victim)).toBe(true);
    expect(readdirSync(join(root, "tmp"))).toEqual([]);
    // Of that kind it is: SQLite removes the file where it opens the original.
    new Database(file).prepare("SELECT * FROM runs").all();
    expect(existsSync(victim)).toBe(false);
  });

  it.each(["", "-journal", "-wal"])(
    "is refused where a link, a FIFO or a directory stands at megatest.db%s",
    (suffix) => {
      const at = file + suffix;
      for (const make of [
        () => symlinkSync(join(root, "elsewhere"), at),
        () => execFileSync("mkfifo", [at]),
        () => mkdirSync(at),
      ]) {
        rmSync(at, { recursive: true, force: true });
        make();
        expect(errorOf(() => copyPrivately(file, expected))).toMatchObject({
          code: "not-owner",
          message: expect.stringContaining(at),
        });
      }
    },
  );

  it("is refused where the file has another name too, or is larger than it may be", () => {
    linkSync(file, join(root, "other"));
    expect(errorOf(() => copyPrivately(file, expected)).message).toContain("another hard link");
    rmSync(join(root, "other"));
    truncateSync(file, expected.maxBytes + 1);
    expect(errorOf(() => copyPrivately(file, expected)).message).toContain("is larger than");
    expect(errorOf(() => copyPrivately(join(root, "none"), expected)).code).toBe("io");
  });

  it.runIf(isRoot)("is refused where the file, or one beside it, is not its owner's", () => {
    writeFileSync(`${file}-wal`, "x");
    chownSync(`${file}-wal`, nobody, nobody);
    expect(errorOf(() => copyPrivately(file, expected))).toMatchObject({
      code: "not-owner",
      message: expect.stringContaining("-wal"),
    });
    expect(errorOf(() => copyPrivately(file, { ...expected, uid: nobody })).message).toContain(
      "belongs to user 0",
    );
  });

  it.each([
    ["ahead of", -5 * 60_000],
    ["behind", 5 * 60_000],
  ])("is made of a file at rest if the file server's clock is %s this host's", (_, byMs) => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + byMs });
    expect(read()).toEqual(["first"]);
  });

  it("is of one moment or is busy while somebody writes all the time, and always sound", async () => {
    const code = `const Database = require(process.argv[2]); const db = new Database(process.argv[1]);
      db.pragma('synchronous = OFF');
      db.exec('CREATE TABLE a (x); INSERT INTO a VALUES (0); CREATE TABLE filler (x); INSERT INTO filler VALUES (zeroblob(8000000));');
      db.exec('CREATE TABLE b (x); INSERT INTO b VALUES (0)'); process.stdout.write('on');
      for (;;) db.exec('BEGIN; UPDATE a SET x = x + 1; UPDATE b SET x = x + 1; COMMIT');`;
    const writer = spawn(
      process.execPath,
      ["-e", code, file, createRequire(import.meta.url).resolve("better-sqlite3")],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    try {
      await once(writer.stdout, "data");
      for (let n = 0; n < 5; n++) {
        try {
          const copy = copyPrivately(file, { ...expected, maxBytes: 2 ** 30 });
          const db = new Database(copy.file);
          expect(db.pragma("integrity_check", { simple: true })).toBe("ok");
          // One is on the first pages of the file, the other on the last.
          expect(db.prepare("SELECT (SELECT x FROM a) - (SELECT x FROM b)").pluck().get()).toBe(0);
          db.close();
          copy.remove();
        } catch (error) {
          expect((error as JobsError).code).toBe("busy");
        }
      }
    } finally {
      writer.kill("SIGKILL");
      await once(writer, "exit");
    }
  });
});

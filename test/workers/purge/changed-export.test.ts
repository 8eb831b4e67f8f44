import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import {
  isRoot,
  movedRows,
  newArea,
  nobody,
  noRows,
  plantJournal,
  rejectionOf,
  temporaryDirectory,
} from "../../support/area.ts";
import { alteredExport, atRest, purgedArea, reduceSafely, runImport, runPurge } from "../../support/queue.ts";

/** An export in a directory like /tmp, in which every user may make files. */
async function sharedExport() {
  const { area, rows, file } = await purgedArea(1, { testsPerRun: 1200, stepsPerTest: 1 });
  const shared = join(temporaryDirectory(), basename(file));
  const copy = alteredExport(file, () => {});
  renameSync(copy, shared);
  chmodSync(join(shared, ".."), 0o1777);
  return { area, rows, file: shared };
}

describe("an import reads what its file was when it was checked", () => {
  const forged = (file: string) => {
    const db = new Database(file);
    db.exec("UPDATE tests SET status = 'FORGED'");
    db.close();
  };
  it.each([
    { what: "another program writes to it", change: forged },
    {
      what: "another file takes its place",
      change: (file: string) => {
        const other = alteredExport(file, () => {});
        forged(other);
        renameSync(other, file);
      },
    },
    { what: "it is removed", change: (file: string) => rmSync(file) },
  ])("although $what", async ({ change }) => {
    const { area, rows, file } = await sharedExport();
    for (const moment of ["prepared", "import-copied"]) {
      let changed = false;
      const failpoint = (name: string) => {
        if (name !== moment || changed) return;
        changed = true;
        change(file);
      };
      const kept = alteredExport(file, () => {});
      await runImport(area, file, {}, { failpoint });
      expect(changed).toBe(true);
      expect(movedRows(area)).toEqual(rows);
      renameSync(kept, file);
      await runPurge(area, { export: temporaryDirectory() });
    }
  });

  it("although another user plants a journal beside it, and the file that this names stays", async () => {
    const { area, rows, file } = await sharedExport();
    const precious = join(temporaryDirectory(), "precious");
    writeFileSync(precious, "private");
    const failpoint = (name: string) => {
      if (name === "late-collected") plantJournal(file, precious);
    };
    await runImport(area, file, {}, { failpoint });
    expect(movedRows(area)).toEqual(rows);
    expect([existsSync(precious), existsSync(`${file}-journal`)]).toEqual([true, true]);
  });
});

it("an export that has another name, as in a backup by hard links, is imported", async () => {
  const { area, rows, file } = await purgedArea(1);
  linkSync(file, join(temporaryDirectory(), "backup.db"));
  await runImport(area, file);
  expect(movedRows(area)).toEqual(rows);
});

it("an import leaves no private copy, whether it ends or is refused", async () => {
  const { area, file } = await purgedArea(1);
  const { TMPDIR } = process.env;
  const temporary = temporaryDirectory();
  process.env.TMPDIR = temporary;
  try {
    await rejectionOf(
      runImport(
        area,
        alteredExport(file, (db) => db.exec("DROP TABLE keys")),
      ),
    );
    await runImport(area, file, { dryRun: true });
    await runImport(area, file);
    expect(readdirSync(temporary).filter((name) => name.startsWith("mtjobs-copy-"))).toEqual([]);
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  }
});

it.runIf(isRoot)(
  "a purge refuses an export directory below one of another user, who could replace it",
  async () => {
    const area = newArea({ ...atRest, runs: 1 });
    await reduceSafely(area, { runname: undefined, runId: [1] });
    const theirs = join(temporaryDirectory(), "theirs");
    const directory = join(theirs, "exports");
    mkdirSync(directory, { recursive: true });
    chownSync(theirs, nobody, nobody);
    const before = movedRows(area);
    expect(await rejectionOf(runPurge(area, { export: directory }))).toMatchObject({
      code: "not-owner",
      message: expect.stringContaining(theirs),
    });
    expect(movedRows(area)).toEqual(before);
    expect(before).not.toEqual(noRows);
  },
);

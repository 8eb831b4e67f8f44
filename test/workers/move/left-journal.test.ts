import { copyFileSync, existsSync, readFileSync, renameSync } from "node:fs";
import Database from "better-sqlite3";
import { expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { assertNothingLost, checkOf, diagnoseArea, filesOf, newArea } from "../../support/area.ts";
import { runReduce, unionOf } from "../../support/queue.ts";

/** As a job that died in the middle of a commit leaves it. */
function leaveJournal(area: SampleArea): string {
  const { completedDb } = filesOf(area);
  const journal = `${completedDb}-journal`;
  const db = new Database(completedDb);
  // What no page is left for goes to the file before the commit, and what it was to the journal first.
  db.pragma("cache_size = 1");
  db.exec("BEGIN; UPDATE tests SET comment = hex(randomblob(2000))");
  copyFileSync(journal, `${journal}.kept`);
  db.exec("ROLLBACK");
  db.close();
  renameSync(`${journal}.kept`, journal);
  return journal;
}

it("a completed-runs.db that is gone is not made anew beside its journal, which SQLite would play back over it", async () => {
  const area = newArea({ runs: 6, inFlight: 0, unsynced: false, testsPerRun: 20 });
  const { completedDb } = filesOf(area);
  await runReduce(area, { runname: undefined, runId: [1, 2, 3, 4] });
  const before = unionOf(area);
  const journal = leaveJournal(area);
  renameSync(completedDb, `${completedDb}.aside`);
  const bytes = readFileSync(journal);
  for (const dryRun of [true, false]) {
    await expect(runReduce(area, { dryRun })).rejects.toMatchObject({ code: "conflict" });
    expect([existsSync(completedDb), readFileSync(journal).equals(bytes)]).toEqual([false, true]);
  }
  expect(checkOf(await diagnoseArea(area), "journal/completed-runs.db")).toMatchObject({
    ok: false,
    verdict: expect.stringContaining("is missing, but its journal "),
  });
  renameSync(`${completedDb}.aside`, completedDb);
  expect((await runReduce(area)).result.moved.runs).toBe(2);
  assertNothingLost(before, unionOf(area));
});

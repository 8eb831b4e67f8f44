import { cpSync, existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { JobsError } from "../../../shared/errors.ts";
import type { JobStep } from "../../../shared/job-steps.ts";
import type { SampleArea } from "../../../shared/sample-area/build-area.ts";
import { openConnection } from "../../../shared/sqlite/connection.ts";
import { raiseToken } from "../../../workers/fence.ts";
import { closePart } from "../../../workers/migrate/closed.ts";
import { transact } from "../../../workers/move/transaction.ts";
import {
  buildForTwo,
  migrateByHand,
  type Place,
  seenFromSide,
  tendBoth,
} from "../../support/migration-hosts.ts";
import { assertNothingLost } from "../../support/oracle/assert-nothing-lost.ts";
import { readColumn } from "../../support/read-rows.ts";
import { temporaryDirectory } from "../../support/temp-directory.ts";
import { homeOf, isClosed, migrationRow, unionAt } from "../../support/two-hosts.ts";

/** A pair as an earlier migration, token 1, left it on the new home. */
function leaveClosedPair(area: SampleArea, there: SampleArea): void {
  mkdirSync(dirname(there.cacheDirectory), { recursive: true });
  cpSync(area.cacheDirectory, there.cacheDirectory, { recursive: true });
  const db = openConnection({ area: area.megatestDb, cache: there.cacheDb, ref: there.refDb });
  transact(db, () => raiseToken(db, "area", 1));
  for (const part of ["cache", "ref"] as const) {
    transact(db, () => raiseToken(db, part, 1));
    closePart(db, part, { token: 1, movedTo: "10.9.0.1", closedAt: Date.now() }, 1);
  }
  db.close();
}

/** What nobody should do, and somebody does: a run is written to a closed cache. */
function writeByForce(file: string): void {
  const db = new Database(file, { fileMustExist: true });
  db.exec(`DROP TRIGGER mtjobs_closed_insert_runs;
    INSERT INTO runs (runname, sysname, fsname, datapath, state, status)
      SELECT 'by force', sysname, fsname, datapath, 'completed', 'PASS' FROM runs WHERE id = 1`);
  db.close();
}

/** A migration that fails for good at a step, and is undone. */
async function undoneAt(step: JobStep, place: Place, meanwhile = () => {}): Promise<void> {
  const failpoint = (name: JobStep) => {
    if (name !== step) return;
    meanwhile();
    throw new JobsError("conflict", `it fails at ${step}`);
  };
  const o = { ...place, jobId: "migrate-1" };
  await expect(migrateByHand({ ...o, failpoint })).rejects.toMatchObject({ code: "rolled-back" });
  await tendBoth(o);
}

const byForce = (file: string) => readColumn(file, "SELECT count(*) FROM runs WHERE runname = 'by force'");

describe("a migration that is undone", () => {
  it.each(["pair-copied", "pair-installed"] as const)(
    "at %s brings home what somebody had written to the closed pair of the new host",
    async (step) => {
      const { area, place } = buildForTwo(temporaryDirectory());
      const there = seenFromSide(area, place.root, "new");
      leaveClosedPair(area, there);
      writeByForce(there.cacheDb);
      const before = unionAt(area);
      await undoneAt(step, place);
      expect([migrationRow(area)?.state, homeOf(area)]).toEqual(["undone", "10.9.0.1\n"]);
      expect([area.cacheDb, area.megatestDb].map(byForce)).toEqual([[1], [1]]);
      expect(isClosed(there.cacheDb)).toBe(true);
      assertNothingLost(before, unionAt(area), { newRecords: true });
      const { token } = migrationRow(area) ?? {};
      expect(existsSync(join(area.directory, ".mtjobs", "migration", String(token)))).toBe(false);
    },
  );

  it("leaves a pair that somebody had written to already, and the next migration brings that home", async () => {
    const { area, place } = buildForTwo(temporaryDirectory());
    const there = seenFromSide(area, place.root, "new");
    await undoneAt("migration-installed", place, () => writeByForce(there.cacheDb));
    expect(migrationRow(area)?.state).toBe("undone");
    expect([byForce(there.cacheDb), isClosed(there.cacheDb)]).toEqual([[1], true]);
    await migrateByHand({ ...place, jobId: "migrate-2" });
    expect([there.cacheDb, area.megatestDb].map(byForce)).toEqual([[1], [1]]);
  });
});

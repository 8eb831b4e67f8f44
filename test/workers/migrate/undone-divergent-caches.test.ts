import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { JobsError } from "../../../shared/errors.ts";
import type { FailpointName } from "../../../workers/area-db/failpoint-names.ts";
import {
  assertNothingLost,
  edit,
  everywhere,
  keptVersions,
  readColumn,
  temporaryDirectory,
} from "../../support/area.ts";
import {
  buildForTwo,
  homeOf,
  isClosed,
  leaveClosedPair,
  migrateByHand,
  migrationRow,
  type Place,
  reconcileBoth,
  seenFromSide,
  unionAt,
} from "../../support/hosts.ts";

/** What no process should do: a run is written to a closed cache. */
function writeByForce(file: string): void {
  const db = new Database(file, { fileMustExist: true });
  db.exec(`DROP TRIGGER mtjobs_closed_insert_runs;
    INSERT INTO runs (runname, sysname, fsname, datapath, state, status)
      SELECT 'by force', sysname, fsname, datapath, 'completed', 'PASS' FROM runs WHERE id = 1`);
  db.close();
}

/** A migration that fails for good at a step, the nth time that it passes it, and is undone. */
async function undoneAt(step: FailpointName, place: Place, meanwhile = () => {}, nth = 1): Promise<void> {
  let passed = 0;
  const failpoint = (name: FailpointName) => {
    if (name !== step || ++passed !== nth) return;
    meanwhile();
    throw new JobsError("conflict", `it fails at ${step}`);
  };
  const o = { ...place, jobId: "migrate-1" };
  await expect(migrateByHand({ ...o, failpoint })).rejects.toMatchObject({ code: "rolled-back" });
  await reconcileBoth(o);
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

/** An area that was on the new host once, and whose tests have changed at home since it came back. */
function backSince() {
  const { area, place } = buildForTwo(temporaryDirectory());
  const there = seenFromSide(area, place.root, "new");
  leaveClosedPair(area, there);
  edit(area, everywhere, (db) => db.exec("UPDATE tests SET comment = 'newer'"));
  return { area, place, there };
}

it("a closed pair that stood there before is left also where the cleaning dies before it has said so", async () => {
  const { area, place } = buildForTwo(temporaryDirectory());
  const there = seenFromSide(area, place.root, "new");
  leaveClosedPair(area, there);
  const o = { ...place, jobId: "migrate-1" };
  const failpoint = (name: FailpointName) => {
    if (name === "pair-installed") throw new JobsError("conflict", "it fails");
    if (name === "new-cleaned") throw new JobsError("stopped", "it dies");
  };
  await expect(migrateByHand({ ...o, failpoint })).rejects.toMatchObject({ code: "stopped" });
  await reconcileBoth(o);
  expect(migrationRow(area)?.state).toBe("undone");
  expect(isClosed(there.cacheDb)).toBe(true);
  expect(readdirSync(there.cacheDirectory).filter((name) => name.startsWith(".mtjobs"))).toEqual([]);
});

describe("a migration that dies while it writes over a closed pair of an earlier one", () => {
  const comments = (file: string) =>
    readColumn(file, "SELECT DISTINCT comment FROM tests WHERE testname <> 'mtjobs-id-gap'");

  it.each([
    { written: "the ref alone", nth: 1 },
    { written: "both files", nth: 2 },
  ])("and is undone leaves the next one nothing old to bring home: $written", async ({ nth }) => {
    const { area, place, there } = backSince();
    await undoneAt("pair-replaced", place, undefined, nth);
    await migrateByHand({ ...place, jobId: "migrate-2" });
    expect(migrationRow(area)).toMatchObject({ job_id: "migrate-2", state: "settled" });
    expect([there.cacheDb, there.refDb, area.megatestDb].map(comments)).toEqual(Array(3).fill(["newer"]));
    expect(keptVersions(area, "tests", 1, "comment")).toEqual([]);
  });

  it("and is taken up again brings nothing old home", async () => {
    const { area, place, there } = backSince();
    const o = { ...place, jobId: "migrate-1" };
    const failpoint = (name: FailpointName) => {
      if (name === "pair-replaced") throw new JobsError("stopped", "it dies");
    };
    await expect(migrateByHand({ ...o, failpoint })).rejects.toMatchObject({ code: "stopped" });
    await migrateByHand(o);
    expect(migrationRow(area)?.state).toBe("settled");
    expect([there.cacheDb, there.refDb, area.megatestDb].map(comments)).toEqual(Array(3).fill(["newer"]));
  });

  it("keeps aside, and brings over nothing newer, what somebody then writes to the cache that the ref is not of", async () => {
    const { area, place, there } = backSince();
    await undoneAt("pair-replaced", place);
    writeByForce(there.cacheDb);
    await migrateByHand({ ...place, jobId: "migrate-2" });
    expect([there.cacheDb, there.refDb, area.megatestDb].map(comments)).toEqual(Array(3).fill(["newer"]));
    expect([there.cacheDb, area.megatestDb].map(byForce)).toEqual([[1], [1]]);
  });
});

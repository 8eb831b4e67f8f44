import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { parsePayload } from "../../../shared/contract/payload.ts";
import { JobsError } from "../../../shared/errors.ts";
import type { FailpointName } from "../../../workers/area-db/failpoint-names.ts";
import { runJob } from "../../../workers/job-thread/job-table.ts";
import { assertNothingLost, readColumn, temporaryDirectory } from "../../support/area.ts";
import {
  buildForTwo,
  contextOn,
  homeOf,
  isClosed,
  leaveAt,
  letLeaseRunOut,
  migrationRow,
  reconcileBoth,
  seenFromSide,
  unionAt,
} from "../../support/hosts.ts";
import { historyOf } from "../../support/queue.ts";

/** What a machine does with its /tmp as it starts. */
const emptyCacheRoot = ({ cacheRoot }: SampleArea) => rmSync(cacheRoot, { recursive: true });

/** What the first Megatest does that finds no cache: both files are made of megatest.db, and hold what syncs alone. */
function makeCacheAnew({ megatestDb, cacheDb, refDb }: SampleArea): void {
  mkdirSync(dirname(cacheDb), { recursive: true });
  for (const file of [cacheDb, refDb]) {
    cpSync(megatestDb, file);
    const db = new Database(file);
    db.exec(`DELETE FROM run_stats; DELETE FROM extradat; DELETE FROM test_rundat; DELETE FROM archives;
      DROP TABLE mtjobs_fence; DROP TABLE mtjobs_migrations`);
    db.close();
  }
}

const statsIn = (file: string) => readColumn(file, "SELECT count(*) FROM run_stats")[0];

describe("a migration whose machine lost power and empties /tmp as it starts", () => {
  it.each([false, true])(
    "gives an old home its pair back (made anew by Megatest meanwhile: %s)",
    async (anew) => {
      const { area, place } = buildForTwo(temporaryDirectory());
      const before = unionAt(area);
      const stats = statsIn(area.cacheDb);
      await leaveAt("migration-closed", place);
      emptyCacheRoot(area);
      if (anew) makeCacheAnew(area);
      letLeaseRunOut(area);
      await reconcileBoth({ ...place, jobId: "migrate-1" });
      expect([migrationRow(area)?.state, homeOf(area)]).toEqual(["undone", "10.9.0.1\n"]);
      expect([statsIn(area.cacheDb), isClosed(area.cacheDb)]).toEqual([stats, false]);
      assertNothingLost(before, unionAt(area), { anyLastUpdate: true });
    },
  );

  it("leaves its copy to be merged once, however often the opening fails", async () => {
    const { area, place } = buildForTwo(temporaryDirectory());
    await leaveAt("migration-closed", place);
    emptyCacheRoot(area);
    makeCacheAnew(area);
    letLeaseRunOut(area);
    const failpoint = (step: FailpointName) => {
      if (step === "old-opened") throw new JobsError("io", "it fails here");
    };
    for (let attempt = 0; attempt < 3; attempt++) {
      const opening = reconcileBoth({ ...place, jobId: "migrate-1", failpoint });
      await expect(opening).rejects.toMatchObject({ code: "io", message: "it fails here" });
    }
    const directory = join(area.directory, ".mtjobs", "migration", String(migrationRow(area)?.token));
    expect(readdirSync(directory).filter((name) => /^stray-\d+\.db$/.test(name))).toHaveLength(1);
  });

  it("gives a new home its pair back before anybody works there", async () => {
    const { area, place } = buildForTwo(temporaryDirectory());
    const before = unionAt(area);
    await leaveAt("migration-switched", place);
    const there = seenFromSide(area, place.root, "new");
    emptyCacheRoot(there);
    letLeaseRunOut(area);
    await reconcileBoth({ ...place, jobId: "migrate-1" });
    expect([migrationRow(area)?.state, homeOf(area)]).toEqual(["settled", "10.9.0.2\n"]);
    assertNothingLost(before, unionAt(there), { anyLastUpdate: true });
  });

  it.each(["cache.db", "ref.db"])("keeps its copy, and names it, if its %s is damaged", async (name) => {
    const { area, place } = buildForTwo(temporaryDirectory());
    await leaveAt("migration-switched", place);
    const there = seenFromSide(area, place.root, "new");
    const directory = join(area.directory, ".mtjobs", "migration", String(migrationRow(area)?.token));
    emptyCacheRoot(there);
    makeCacheAnew(there);
    writeFileSync(join(directory, name), "damaged");
    letLeaseRunOut(area);
    await reconcileBoth({ ...place, jobId: "migrate-1" });
    expect(migrationRow(area)?.state).toBe("settled");
    const kept = join(directory, "stray-999999.db");
    if (name === "cache.db") expect(readFileSync(kept, "utf8")).toBe("damaged");
    else expect(statsIn(kept)).toEqual(statsIn(area.cacheDb));
    const warning = expect.stringContaining(`${kept} was not merged, and is kept: `);
    expect(historyOf(area).at(-1)).toMatchObject({ warnings: [warning] });
  });

  it("lets a job that comes first begin anew, for it began as if there were no cache", async () => {
    const { area, place } = buildForTwo(temporaryDirectory());
    const before = unionAt(area);
    await leaveAt("migration-closed", place);
    emptyCacheRoot(area);
    letLeaseRunOut(area);
    const payload = parsePayload("reduce", { v: 1, area: place.area, runname: "%", compact: "never" });
    const reduce = () => runJob("reduce", payload, contextOn("old", { ...place, jobId: "reduce-1" }));
    await expect(reduce()).rejects.toMatchObject({ code: "busy" });
    expect(await reduce()).toMatchObject({ state: "completed", moved: { runs: 3 } });
    assertNothingLost(before, unionAt(area), { anyLastUpdate: true });
  });
});

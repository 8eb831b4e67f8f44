import { copyFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { openConnection } from "../../../shared/sqlite/connection.ts";
import { withoutAnyTriggers } from "../../../shared/sqlite/triggers.ts";
import { transact } from "../../../workers/area-db/transaction.ts";
import { mergeCache } from "../../../workers/migrate/merge/merge-cache.ts";
import { repairOverwritten } from "../../../workers/migrate/merge/repair-overwritten.ts";
import { gapAbove, writeGap } from "../../../workers/migrate/pair/id-gap.ts";
import { newArea, openClient, settleTimes, syncOnce, variable } from "../../support/area.ts";
import { withMove } from "../../support/queue.ts";

/** `MTJOBS_SEQUENCES` asks for more than a test run has time for, `MTJOBS_SEED` for others. */
const sequences = Number(variable("MTJOBS_SEQUENCES") || 12);
const seed = Number(variable("MTJOBS_SEED"));

/** What a Megatest does, at home or at the divergent cache; runs and tests count through few, so that both often mean the same. */
type Act =
  | { at: Place; does: "report"; run: number; test: number; comment: string }
  | { at: Place; does: "sync" };
type Place = "home" | "divergent";

const place = fc.constantFrom<Place>("home", "divergent");
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      ...{ at: place, does: fc.constant("report" as const) },
      ...{ run: fc.nat(2), test: fc.nat(2), comment: fc.constantFrom("a", "b", "c") },
    }),
  },
  { weight: 2, arbitrary: fc.record({ at: place, does: fc.constant("sync" as const) }) },
);

const target = { sysname: "a", fsname: "b", datapath: "c" };

/** Comments of the tests that the acts are about, by run and name: no id is in it. */
function commentsOf(file: string): Map<string, string> {
  const db = new Database(file, { readonly: true });
  try {
    const sql = `SELECT r.runname || '/' || t.testname, t.comment FROM tests AS t JOIN runs AS r ON r.id = t.run_id
      WHERE r.runname LIKE 'run %'`;
    const rows = db.prepare(sql).raw().all() as [string, string][];
    expect(new Set(rows.map(([name]) => name)).size, "a test stands under two ids").toBe(rows.length);
    return new Map(rows);
  } finally {
    db.close();
  }
}

function keptComments(area: SampleArea): string[] {
  const db = new Database(join(area.directory, "completed-runs.db"), { readonly: true });
  try {
    return db.prepare("SELECT row FROM mtjobs_superseded").pluck().all() as string[];
  } finally {
    db.close();
  }
}

async function perform(home: SampleArea, divergent: SampleArea, acts: readonly Act[]): Promise<void> {
  for (const act of acts) {
    const there = act.at === "home" ? home : divergent;
    if (act.does === "sync") {
      settleTimes(home);
      await syncOnce(there, { quietMs: 0 });
      continue;
    }
    const client = openClient(there.cacheDb);
    try {
      const run = client.registerRun(target, `run ${act.run}`);
      client.setState(client.registerTest(run, `test ${act.test}`), "COMPLETED", "PASS", act.comment);
    } finally {
      client.close();
    }
  }
}

/** As every new home has it: what both make anew never has one id. */
function writeGapAt({ megatestDb: area, cacheDb: cache, refDb: ref }: SampleArea): void {
  const db = openConnection({ area, cache, ref });
  try {
    writeGap(db, gapAbove(db, ["area"]), ["cache", "ref"]);
  } finally {
    db.close();
  }
}

/** A while passes: what was synced until then is older, to the second, than what is synced from now on. */
function letTimePass({ megatestDb: area, cacheDb: cache, refDb: ref }: SampleArea): void {
  const db = openConnection({ area, cache, ref });
  try {
    for (const part of ["area", "cache", "ref"] as const) {
      transact(db, () =>
        withoutAnyTriggers(db, part, () =>
          db.exec(`UPDATE ${part}.tests SET last_update = last_update - 100`),
        ),
      );
    }
  } finally {
    db.close();
  }
}

async function merge(home: SampleArea, divergent: SampleArea, base: string): Promise<void> {
  settleTimes(home);
  await withMove(home, async (session) => {
    const o = { session, divergent: divergent.cacheDb, base };
    await mergeCache(o);
    await repairOverwritten(session);
    expect((await mergeCache(o)).merged, "brought twice").toBe(0);
    expect(await repairOverwritten(session), "mended twice").toBe(0);
  });
}

describe("after any changes to a home and a divergent cache", () => {
  it("every test is at home once, with the changed value, and no value is lost", { timeout: 180_000 }, () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(act, { maxLength: 4 }),
        fc.array(act, { minLength: 1, maxLength: 12 }),
        async (common, apart) => {
          const home = newArea({ runs: 1, testsPerRun: 1, inFlight: 0, unsynced: false });
          await perform(home, home, common);
          await perform(home, home, [{ at: "home", does: "sync" }]);
          letTimePass(home);
          const directory = home.directory;
          const divergent = {
            ...home,
            cacheDb: join(directory, "s.db"),
            refDb: join(directory, "s-ref.db"),
          };
          copyFileSync(home.cacheDb, divergent.cacheDb);
          const base = join(directory, "base.db");
          for (const file of [divergent.refDb, base]) copyFileSync(home.refDb, file);
          const parted = commentsOf(home.cacheDb);
          writeGapAt(home);
          await perform(home, divergent, apart);
          const [own, theirs] = [commentsOf(home.cacheDb), commentsOf(divergent.cacheDb)];
          await merge(home, divergent, base);
          // What both wrote alike needs no merging; Megatest's next sync tells the ref of it.
          await perform(home, home, [{ at: "home", does: "sync" }]);
          const kept = keptComments(home);
          for (const file of [home.cacheDb, home.refDb, home.megatestDb]) {
            const seen = commentsOf(file);
            for (const name of new Set([...own.keys(), ...theirs.keys()])) {
              const [was, ours, other] = [parted.get(name), own.get(name), theirs.get(name)];
              const isTheirs = other !== undefined && other !== was && (ours === undefined || ours === was);
              expect(seen.get(name), `${name} in ${file}`).toBe(isTheirs ? other : ours);
              const isLost = !isTheirs && other !== undefined && other !== was && other !== ours;
              if (isLost)
                expect(
                  kept.some((row) => row.includes(`'${other}'`)),
                  `${name} kept`,
                ).toBe(true);
            }
          }
        },
      ),
      { numRuns: sequences, seed },
    ),
  );
});

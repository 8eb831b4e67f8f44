import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  addSecondCache,
  canMakeImmutable,
  edit,
  everywhere,
  filesOf,
  healthyArea,
  isRoot,
  makeImmutable,
  nobody,
  plantJournal,
} from "../../support/area.ts";
import {
  afterReduce,
  doctorAndJob,
  errorCodeOf,
  oldCache,
  runUnsafe,
  type Spoil,
} from "../../support/queue.ts";

// What makes a job refuse an area is a fault to the doctor, with the job's code; what does not make it refuse is none.
// A refusal by the place or the moment (another host, a stop file, a running job) is a note that has the code.

const completedOf = (area: SampleArea) => filesOf(area).completedDb;

const unseenRow = "INSERT INTO test_steps (test_id, stepname, state) VALUES (1, 'unseen', 'end')";
const largestToken = "UPDATE mtjobs_fence SET token = 9007199254740991";
const noDatabase = "no database at all, whatever its name says";
const otherRuns = "UPDATE runs SET event_time = event_time - 1";

/** The job's code, the doctor's check, and what was done to the area. */
const refusals: Record<string, readonly [code: string, check: string, spoil: Spoil]> = {
  "another cache changed today": ["several-caches", "caches", (area) => addSecondCache(area, "root")],
  "another cache with rows of its own": ["several-caches", "caches", (area) => oldCache(area, unseenRow)],
  "the cache under another name": [
    "several-caches",
    "caches",
    (area) => {
      const named = join(area.cacheDirectory, "..");
      renameSync(named, `${named}-old`);
    },
  ],
  "a cache that every user may write to": [
    "not-owner",
    "cache",
    (area) => chmodSync(area.cacheDirectory, 0o777),
  ],
  "a cache of another user": ["not-owner", "cache", (area) => chownSync(area.cacheDb, nobody, nobody)],
  "a cache behind a link": [
    "not-owner",
    "cache",
    (area) => {
      renameSync(area.cacheDirectory, join(area.cacheRoot, "aside"));
      symlinkSync(join(area.cacheRoot, "aside"), area.cacheDirectory);
    },
  ],
  "a planted journal beside the cache": ["not-owner", "cache", (area) => plantJournal(area.cacheDb, "/x")],
  "a planted journal beside megatest.db": [
    "not-owner",
    "journal/megatest.db",
    (area) => plantJournal(area.megatestDb, "/x"),
  ],
  "a ref that is a directory": [
    "not-owner",
    "cache",
    (area) => {
      rmSync(area.refDb);
      mkdirSync(area.refDb);
    },
  ],
  "a ref of another area": [
    "conflict",
    "one-area",
    (area) => edit(area, ["ref"], (db) => db.exec(otherRuns)),
  ],
  "a cache of another area": [
    "conflict",
    "one-area",
    (area) => edit(area, ["cache", "ref"], (db) => db.exec(otherRuns)),
  ],
  "completed-runs.db lost": [
    "conflict",
    "schema/completed-runs.db",
    afterReduce((area) => rmSync(completedOf(area))),
  ],
  "completed-runs.db emptied": [
    "conflict",
    "schema/completed-runs.db",
    afterReduce((area) => truncateSync(completedOf(area))),
  ],
  "completed-runs.db lost, with its journal there": [
    "conflict",
    "journal/completed-runs.db",
    afterReduce((area) => {
      rmSync(completedOf(area));
      plantJournal(area.megatestDb, "");
      renameSync(`${area.megatestDb}-journal`, `${completedOf(area)}-journal`);
    }),
  ],
  "completed-runs.db that is none": [
    "corrupt",
    "journal/completed-runs.db",
    (area) => writeFileSync(completedOf(area), noDatabase),
  ],
  "megatest.db that is none": [
    "corrupt",
    "journal/megatest.db",
    (area) => writeFileSync(area.megatestDb, noDatabase),
  ],
  "a cache that is no database": [
    "corrupt",
    "journal/cache/megatest.db",
    (area) => writeFileSync(area.cacheDb, noDatabase),
  ],
  "an empty cache": ["unknown-schema", "schema/cache/megatest.db", (area) => truncateSync(area.cacheDb)],
  "an empty ref": ["unknown-schema", "schema/cache/megatest_ref.db", (area) => truncateSync(area.refDb)],
  "megatest.db without a table": [
    "unknown-schema",
    "schema/megatest.db",
    (area) => runUnsafe(area.megatestDb, "DROP TABLE test_data"),
  ],
  "megatest.db without a column": [
    "unknown-schema",
    "schema/megatest.db",
    (area) => runUnsafe(area.megatestDb, "DROP TABLE test_data; CREATE TABLE test_data (test_id INTEGER)"),
  ],
  "a cache without a table": [
    "unknown-schema",
    "schema/cache/megatest.db",
    (area) => runUnsafe(area.cacheDb, "DROP TABLE tests"),
  ],
  "a ref without a table": [
    "unknown-schema",
    "schema/cache/megatest_ref.db",
    (area) => runUnsafe(area.refDb, "DROP TABLE tests"),
  ],
  "a column of [fields] missing": [
    "unknown-schema",
    "schema/megatest.db",
    (area) => edit(area, everywhere, (db) => db.exec("ALTER TABLE runs RENAME COLUMN datapath TO other")),
  ],
  "a constraint that no guard fits": [
    "unknown-schema",
    "site-schema",
    (area) =>
      runUnsafe(
        area.megatestDb,
        `PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = replace(sql, 'runname TEXT', 'runname TEXT CHECK (length(runname) < 5)')
         WHERE name = 'runs'`,
      ),
  ],
  "ids used up": [
    "ids-used-up",
    "id-room/cache/megatest.db",
    (area) =>
      edit(area, ["cache"], (db) =>
        db.exec("UPDATE test_data SET id = 9223372036854775807 WHERE id = (SELECT max(id) FROM test_data)"),
      ),
  ],
  "a token that cannot rise": [
    "corrupt",
    "fence/megatest.db",
    afterReduce((area) => runUnsafe(area.megatestDb, largestToken)),
  ],
  "a token of the ref that cannot rise": [
    "corrupt",
    "fence/cache/megatest_ref.db",
    afterReduce((area) => runUnsafe(area.refDb, largestToken)),
  ],
  "a .homehost of two words": [
    "bad-config",
    "homehost",
    (area) => writeFileSync(join(area.directory, ".homehost"), "two words\n"),
  ],
  "a homehost by #{shell}": [
    "bad-config",
    "homehost",
    (area) =>
      appendFileSync(join(area.directory, "megatest.config"), "[server]\nhomehost #{shell hostname}\n"),
  ],
  "an area-id that is a directory": [
    "corrupt",
    "area-id",
    (area) => mkdirSync(join(area.directory, ".mtjobs/area-id"), { recursive: true }),
  ],
  "a history that is a directory": [
    "not-an-area",
    "history",
    (area) => mkdirSync(join(area.directory, ".mtjobs/history.jsonl"), { recursive: true }),
  ],
};

/** What not even root can write. */
const unwritable: typeof refusals = {
  "a history that cannot be written": [
    "not-owner",
    "history",
    afterReduce((area) => makeImmutable(join(area.directory, ".mtjobs/history.jsonl"))),
  ],
  "a .mtjobs in which no history can be made": [
    "not-owner",
    "history",
    afterReduce((area) => {
      rmSync(join(area.directory, ".mtjobs/history.jsonl"));
      makeImmutable(join(area.directory, ".mtjobs"));
    }),
  ],
};

describe.runIf(isRoot)("the doctor and a job", () => {
  const rows = { ...refusals, ...(canMakeImmutable() ? unwritable : {}) };

  it.each(Object.entries(rows))("agree on the refusal of %s", async (_, [code, check, spoil]) => {
    const area = healthyArea();
    await spoil(area);
    const { job, faults } = await doctorAndJob(area);
    expect(job.code).not.toBe(0);
    expect(errorCodeOf(job)).toBe(code);
    expect(faults.map(({ name, details }) => [name, details?.code])).toContainEqual([check, code]);
  });
});

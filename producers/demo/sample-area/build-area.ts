import { copyFileSync, existsSync, mkdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import type Database from "better-sqlite3";
import { JobsError } from "../../../shared/errors.ts";
import { openSqlite } from "../../../shared/sqlite/library.ts";
import { cacheDirectoryOf, writeAreaFiles, writeReadyMarks } from "./area-files.ts";
import { addUnsyncedRows, fillUnsyncedTables, settleCache } from "./divergence.ts";
import { type Plan, planOf, type SampleArea, type SampleAreaOptions } from "./plan.ts";
import { seededRandom } from "./random.ts";
import { insertRecords } from "./sample-records.ts";
import { megatestSchema } from "./schema.ts";

export type { SampleArea, SampleAreaOptions } from "./plan.ts";

/**
 * Builds an area as Megatest would leave it, with some unsynced changes; deterministic except for file times. Two
 * million rows take some seconds.
 *
 * @throws JobsError `usage` if there is a megatest.db
 */
export function buildArea(options: SampleAreaOptions): SampleArea {
  const plan = planOf(options);
  const area = describe(plan);
  if (existsSync(area.megatestDb)) throw new JobsError("usage", `${area.megatestDb} already exists`);
  mkdirSync(plan.directory, { recursive: true });
  writeAreaFiles(plan);
  if (plan.withCache) buildTrio(plan, area);
  else buildAlone(plan, area);
  renewTimes(plan, area);
  return area;
}

function describe(plan: Plan): SampleArea {
  const cacheDirectory = cacheDirectoryOf(plan);
  const inFlight = Array.from(
    { length: Math.min(plan.inFlight, plan.runs) },
    (_, index) => plan.runs - index,
  );
  return {
    directory: plan.directory,
    areaName: plan.areaName,
    cacheRoot: plan.cacheRoot,
    user: plan.user,
    host: plan.host,
    cacheDirectory,
    megatestDb: join(plan.directory, "megatest.db"),
    cacheDb: join(cacheDirectory, "megatest.db"),
    refDb: join(cacheDirectory, "megatest_ref.db"),
    keys: plan.keys,
    now: plan.now,
    syncedAt: plan.syncedAt,
    inFlight: inFlight.reverse(),
  };
}

/** Builds the ref as after a sync; cache and megatest.db start as its copies. */
function buildTrio(plan: Plan, area: SampleArea): void {
  mkdirSync(area.cacheDirectory, { recursive: true });
  buildSynced(plan, area.refDb);
  copyFileSync(area.refDb, area.megatestDb);
  copyFileSync(area.refDb, area.cacheDb);
  withBuilder(area.megatestDb, (db) => fillUnsyncedTables(db, plan, "megatest.db"));
  withBuilder(area.cacheDb, (db) => {
    settleCache(db, plan);
    fillUnsyncedTables(db, plan, "cache");
  });
  if (plan.unsynced) addUnsyncedRows(plan, area);
  if (plan.cacheWal) withBuilder(area.cacheDb, (db) => db.pragma("journal_mode = WAL"));
  writeReadyMarks(area.cacheDirectory);
}

function buildAlone(plan: Plan, area: SampleArea): void {
  buildSynced(plan, area.megatestDb);
  withBuilder(area.megatestDb, (db) => fillUnsyncedTables(db, plan, "megatest.db"));
}

function buildSynced(plan: Plan, file: string): void {
  withBuilder(file, (db) => {
    db.exec(megatestSchema(plan));
    insertRecords(db, plan, seededRandom(plan.seed));
  });
}

/** Builds without crash safety: a half-built area is discarded. */
function withBuilder(file: string, build: (db: Database.Database) => void): void {
  const db = openSqlite(file);
  try {
    db.pragma("foreign_keys = OFF");
    db.pragma("synchronous = OFF");
    db.pragma("cache_size = -64000");
    const mode = db.pragma("journal_mode = MEMORY", { simple: true });
    if (mode !== "memory") throw new JobsError("internal", `${file}: journal mode is ${String(mode)}`);
    build(db);
  } finally {
    db.close();
  }
}

/**
 * Sets times as after a sync: Megatest refills the cache if megatest.db is over 10 s newer, and delays its sync while
 * it is under 4 s old.
 */
function renewTimes(plan: Plan, area: SampleArea): void {
  const present = Date.now() / 1000;
  utimesSync(area.megatestDb, present - 60, present - 60);
  if (!plan.withCache) return;
  utimesSync(area.refDb, present - 60, present - 60);
  utimesSync(area.cacheDb, present, present);
}

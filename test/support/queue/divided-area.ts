import { copyFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import type { SampleArea, SampleAreaOptions } from "../../../producers/demo/sample-area/build-area.ts";
import { FullDb, type FullDbOptions, type Row } from "../../../producers/full-db/full-db.ts";
import type { ReadFiles } from "../../../producers/full-db/locate.ts";
import type { Parameters } from "../../../producers/full-db/parameters.ts";
import { filesOf, newArea } from "../area/temp-area.ts";
import { runReduce } from "./run-reduce.ts";

/** An area some of whose runs were moved, and a database with all of its rows as before. */
export interface DividedArea {
  area: SampleArea;
  undivided: string;
  files: ReadFiles;
  moved: number[];
}

/** Returns the files that full-db mode reads on the homehost. */
export function readFilesOf(area: SampleArea): ReadFiles {
  return {
    main: area.cacheDb,
    source: "cache",
    megatestDb: area.megatestDb,
    completedDb: filesOf(area).completedDb,
  };
}

/** Builds an area whose databases agree, keeps a copy of its cache, and moves the given runs (of 12). */
export async function divideArea(
  moved: number[],
  { change, ...options }: Partial<SampleAreaOptions> & { change?: (db: Database.Database) => void } = {},
): Promise<DividedArea> {
  const area = newArea({ unsynced: false, ...options });
  for (const file of [area.cacheDb, area.refDb, area.megatestDb]) if (change) openToWrite(file, change);
  const undivided = join(area.directory, "..", "undivided.db");
  // Checkpoint first: only the file itself is copied.
  openToWrite(area.cacheDb, (db) => db.pragma("wal_checkpoint(TRUNCATE)"));
  copyFileSync(area.cacheDb, undivided);
  if (moved.length > 0) await runReduce(area, { runId: moved });
  return { area, undivided, files: readFilesOf(area), moved };
}

/** Changes a database without its constraints. */
export function openToWrite<T>(file: string, change: (db: Database.Database) => T): T {
  const db = new Database(file);
  try {
    db.pragma("foreign_keys = OFF");
    db.pragma("ignore_check_constraints = ON");
    return change(db);
  } finally {
    db.close();
  }
}

export function fullRows(
  files: ReadFiles,
  sql: string,
  options: FullDbOptions = {},
  ...parameters: Parameters
): Row[] {
  const db = new FullDb(files, options);
  try {
    return db.prepare(sql).all(...parameters);
  } finally {
    db.close();
  }
}

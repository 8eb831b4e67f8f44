import { copyFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { exportsIn, movedRows } from "../area/moved-rows.ts";
import { newArea } from "../area/temp-area.ts";
import { temporaryDirectory } from "../area/temp-directory.ts";
import { atRest } from "./reduced-area.ts";
import { reduceSafely, runPurge } from "./run-reduce.ts";

/** An area whose runs are purged, and their exports. */
export async function purgedArea(runs: number, options: object = {}) {
  const area = newArea({ ...atRest, runs, ...options });
  const { before } = await reduceSafely(area, {});
  const rows = movedRows(area);
  const directory = temporaryDirectory();
  await runPurge(area, { export: directory });
  const [file = "", ...others] = exportsIn(directory);
  return { area, before, rows, directory, file, others };
}

/** Changes a copy of an export. */
export function alteredExport(file: string, change: (db: Database.Database) => unknown): string {
  const copy = join(temporaryDirectory(), "copy.db");
  copyFileSync(file, copy);
  const db = new Database(copy);
  db.pragma("foreign_keys = OFF");
  change(db);
  db.close();
  return copy;
}

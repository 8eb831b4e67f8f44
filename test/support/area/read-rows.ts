import Database from "better-sqlite3";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { readSuperseded } from "../oracle/completed.ts";
import { showValue } from "../oracle/snapshot.ts";
import { filesOf } from "./temp-area.ts";

export type Cell = string | number | null | Buffer;

/** Returns a query's rows, by column. The file must exist; nothing is written to it. */
export function readRows(file: string, sql: string, ...parameters: Cell[]): Record<string, Cell>[] {
  const db = new Database(file, { fileMustExist: true, timeout: 30_000 });
  try {
    return db.prepare(sql).all(...parameters) as Record<string, Cell>[];
  } finally {
    db.close();
  }
}

export function readColumn(file: string, sql: string, ...parameters: Cell[]): (Cell | undefined)[] {
  return readRows(file, sql, ...parameters).map((row) => Object.values(row)[0]);
}

/** Does the same for an area's completed-runs.db. */
export function completedColumn(area: SampleArea, sql: string, ...parameters: Cell[]): (Cell | undefined)[] {
  return readColumn(filesOf(area).completedDb, sql, ...parameters);
}

/** Returns one column of a row's superseded versions, as readable values. */
export function keptVersions(area: SampleArea, table: string, id: number, column: string): string[] {
  return readSuperseded(filesOf(area).completedDb)
    .filter((kept) => kept.table === table && kept.rowId === id)
    .map((kept) => showValue(kept.row.get(column)));
}

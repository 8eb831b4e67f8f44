import Database from "better-sqlite3";
import type { SampleArea } from "../../shared/sample-area/build-area.ts";
import { readSuperseded } from "./oracle/completed.ts";
import { showValue } from "./oracle/snapshot.ts";
import { filesOf } from "./temp-area.ts";

export type Cell = string | number | null | Buffer;

/** The rows of a query, by column. The file must be there; nothing is written to it. */
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

/** The same for completed-runs.db of an area. */
export function completedColumn(area: SampleArea, sql: string, ...parameters: Cell[]): (Cell | undefined)[] {
  return readColumn(filesOf(area).completedDb, sql, ...parameters);
}

/** One column of the versions of a row that lost and were kept, as people read values. */
export function keptVersions(area: SampleArea, table: string, id: number, column: string): string[] {
  return readSuperseded(filesOf(area).completedDb)
    .filter((kept) => kept.table === table && kept.rowId === id)
    .map((kept) => showValue(kept.row.get(column)));
}

import { type Connection, prepared, quoteName } from "../../shared/sqlite/connection.ts";
import { columnList } from "../../shared/sqlite/row-sql.ts";
import { originalBlock } from "./archive-blocks.ts";
import type { Source } from "./databases.ts";
import type { RecordPlan } from "./record-tables.ts";
import { clearScratch } from "./scratch.ts";
import { copiesOfSlice } from "./whole.ts";

/**
 * Fills `temp.stage_<table>` with the slice's rows of completed-runs.db as `part` must have them: all columns that it
 * knows, and `tests.archived` with its id of the block.
 *
 * @param touchedAt new `last_update`, seconds since 1970; undefined keeps the old one
 */
export function stageFromCompleted(
  db: Connection,
  part: Source,
  records: readonly RecordPlan[],
  touchedAt: number | undefined,
): void {
  clearScratch(db, ...records.map(({ table }) => `stage_${table}`));
  for (const record of records) {
    const columns = record.columnsIn(part);
    if (columns.length === 0) continue;
    const values = columns.map((name) => valueIn(record, name, touchedAt)).join(", ");
    const row = record.synced ? "" : "stage_row, ";
    prepared(
      db,
      `INSERT INTO temp.stage_${record.table} (${row}${columnList(columns)})
       SELECT ${record.synced ? "" : "d.id, "}${values} FROM ${copiesOfSlice(record)}`,
    ).run({ touchedAt });
  }
}

function valueIn({ table }: RecordPlan, name: string, touchedAt: number | undefined): string {
  if (name === "last_update" && touchedAt !== undefined) return ":touchedAt";
  return table === "tests" && name === "archived" ? originalBlock("d") : `d.${quoteName(name)}`;
}

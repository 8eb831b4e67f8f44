import { type Connection, type Part, prepared, quoteText } from "../sqlite/connection.ts";
import { NameSet } from "../sqlite/names.ts";
import { columnNames } from "../sqlite/table.ts";
import { guardName, hiddenChild } from "./hidden-row-names.ts";

const places = [
  { table: "runs", columns: ["runname"], where: `runname = ${quoteText(guardName)}` },
  { table: "test_steps", columns: ["test_id", "stepname"], where: hiddenChild("stepname", guardName) },
  { table: "test_data", columns: ["test_id", "variable"], where: hiddenChild("variable", guardName) },
];

/**
 * Returns true if there are guards. They are written after completed-runs.db, so if that is missing or empty it was
 * lost. Megatest's clean-up leaves some of them.
 */
export function hasGuards(db: Connection, part: Part): boolean {
  return places.some(({ table, columns, where }) => {
    const here = new NameSet(columnNames(db, part, table));
    if (!columns.every((column) => here.has(column))) return false;
    const sql = `SELECT EXISTS (SELECT 1 FROM ${part}.${table} WHERE ${where})`;
    return prepared<[], number>(db, sql).pluck().get() === 1;
  });
}

export const lostCompleted = {
  text: (file: string, isThere: boolean) =>
    `${file} is ${isThere ? "empty" : "missing"}, but megatest.db shows that it was in use: runs moved to it are in no database of the area`,
  remedy:
    "restore it from a backup before running any other job; if it held no run or is lost permanently, create one without runs: sqlite3 megatest.db .schema | sqlite3 completed-runs.db",
};

import type { IdentifiedTable } from "../../shared/record-tables.ts";
import {
  type Connection,
  type Part,
  prepared,
  quoteName,
  quoteText,
} from "../../shared/sqlite/connection.ts";
import { affinityOf, readColumns } from "../../shared/sqlite/table.ts";
import { withoutTriggers } from "../../shared/sqlite/triggers.ts";

/** An id for each table whose ids Megatest hands out. */
export type TableIds = Record<IdentifiedTable, bigint>;

export interface HiddenRows {
  /** What runname, testname, step and variable hold. */
  name: string;
  ids: TableIds;
  /** Target keys of the area. */
  keys: readonly string[];
  comment: string;
}

/** NULL names no test, ever; an index serves both. */
export const hiddenStep = (name: string): string => `test_id IS NULL AND stepname = ${quoteText(name)}`;
export const hiddenDatum = (name: string): string => `test_id IS NULL AND variable = ${quoteText(name)}`;

/**
 * Puts the four rows of that name under the ids given, in place of those that stand there: a run in state `deleted`, a test
 * of it in state DELETED, a step and a datum of no test. Nobody of Megatest's shows them. Call inside a transaction.
 */
export function writeHidden(db: Connection, part: Part, rows: HiddenRows): void {
  withoutTriggers(db, part, () => replaceHidden(db, part, rows));
}

function replaceHidden(db: Connection, part: Part, { name, ids, keys, comment }: HiddenRows): void {
  const oldRuns = `SELECT id FROM ${part}.runs WHERE runname = ${quoteText(name)}`;
  // A clean-up may have removed the run and not yet its test: under the same id the new run would meet it.
  db.exec(`DELETE FROM ${part}.test_steps WHERE ${hiddenStep(name)};
    DELETE FROM ${part}.test_data WHERE ${hiddenDatum(name)}`);
  prepared(
    db,
    `DELETE FROM ${part}.tests WHERE run_id IN (${oldRuns} UNION ALL SELECT ?) AND testname = ${quoteText(name)}`,
  ).run(ids.runs);
  db.exec(`DELETE FROM ${part}.runs WHERE runname = ${quoteText(name)}`);
  const target = Object.fromEntries(keys.map((key) => [key, ""]));
  insert(db, part, "runs", { ...target, id: ids.runs, runname: name, state: "deleted", comment });
  insert(db, part, "tests", {
    id: ids.tests,
    run_id: ids.runs,
    testname: name,
    item_path: "",
    state: "DELETED",
    status: "n/a",
    comment,
  });
  insert(db, part, "test_steps", { id: ids.test_steps, test_id: null, stepname: name, comment });
  insert(db, part, "test_data", { id: ids.test_data, test_id: null, variable: name, comment });
}

/** Fixed values everywhere, so that the row is the same in each database; other columns are NULL or zero. */
function insert(db: Connection, part: Part, table: IdentifiedTable, values: Record<string, unknown>): void {
  const columns = readColumns(db, part, table);
  const filled = columns.map(({ name, type, notNull }) => {
    if (name in values) return values[name];
    if (name.endsWith("_time") || name === "last_update") return 0;
    return notNull ? (affinityOf(type) === "TEXT" ? "" : 0) : null;
  });
  prepared(
    db,
    `INSERT INTO ${part}.${table} (${columns.map(({ name }) => quoteName(name)).join(", ")})
     VALUES (${columns.map(() => "?").join(", ")})`,
  ).run(...filled);
}

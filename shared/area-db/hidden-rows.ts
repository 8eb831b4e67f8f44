import { type Connection, isConstraintError, type Part, prepared, quoteText } from "../sqlite/connection.ts";
import { largestId, preparedIds } from "../sqlite/ids.ts";
import { hasColumn } from "../sqlite/table.ts";
import { withoutTriggers } from "../sqlite/triggers.ts";
import { guardName, hiddenChild, nearerHiddenTime } from "./hidden-row-names.ts";
import {
  fitHidden,
  type HiddenRows,
  type HiddenValues,
  insertHidden,
  keysIn,
  rowRejected,
  type TableIds,
} from "./hidden-values.ts";
import { idAbove } from "./id-room.ts";
import { type IdentifiedTable, identifiedTables } from "./record-tables.ts";

/**
 * Replaces the hidden rows of that name: a run in state `deleted`, its test in state DELETED, a step and a datum
 * without a test. Megatest shows none of them. Call inside a transaction.
 *
 * @throws JobsError `unknown-schema` if a constraint of the site rejects such a row
 */
export function writeHidden(db: Connection, part: Part, rows: HiddenRows): void {
  // The row must be the same in each database.
  const values = fitHidden(db, rows);
  withoutTriggers(db, part, () => replaceHidden(db, part, rows, values));
}

function replaceHidden(
  db: Connection,
  part: Part,
  { name, ids }: HiddenRows,
  values: Record<IdentifiedTable, HiddenValues>,
): void {
  const oldRuns = `SELECT id FROM ${part}.runs WHERE runname = ${quoteText(name)}`;
  // A clean-up may have left the test, which would collide with the new run.
  db.exec(`DELETE FROM ${part}.test_steps WHERE ${hiddenChild("stepname", name)};
    DELETE FROM ${part}.test_data WHERE ${hiddenChild("variable", name)}`);
  prepared(
    db,
    `DELETE FROM ${part}.tests WHERE run_id IN (${oldRuns} UNION ALL SELECT ?) AND testname = ${quoteText(name)}`,
  ).run(ids.runs);
  db.exec(`DELETE FROM ${part}.runs WHERE runname = ${quoteText(name)}`);
  for (const table of identifiedTables) insert(db, part, table, values[table]);
}

function insert(db: Connection, part: Part, table: IdentifiedTable, values: HiddenValues): void {
  try {
    insertHidden(db, part, table, values);
  } catch (error) {
    if (!isConstraintError(error)) throw error;
    throw rowRejected(db, part, table, error.message);
  }
}

/**
 * `areLasting`: `-remove-runs`, which deletes hidden tests older than 30 days, spares them. Rows of earlier versions
 * began in 1970.
 */
export function readHidden(
  db: Connection,
  part: Part,
  name: string,
): { ids: Partial<TableIds>; areLasting: boolean } {
  const ofName = `runname = ${quoteText(name)}`;
  const ids: Partial<TableIds> = {};
  const note = (table: IdentifiedTable, where: string) => {
    const sql = `SELECT max(id) FROM ${part}.${table} WHERE ${where}`;
    const id = preparedIds<[], bigint | null>(db, sql).get() ?? undefined;
    if (id !== undefined) ids[table] = id;
  };
  note("runs", ofName);
  // Uses the index on run_id.
  note(
    "tests",
    `run_id = (SELECT max(id) FROM ${part}.runs WHERE ${ofName}) AND testname = ${quoteText(name)}`,
  );
  note("test_steps", hiddenChild("stepname", name));
  note("test_data", hiddenChild("variable", name));
  return { ids, areLasting: isLasting(db, part, ids.tests) };
}

function isLasting(db: Connection, part: Part, test: bigint | undefined): boolean {
  if (test === undefined || !hasColumn(db, part, "tests", "event_time")) return true;
  const sql = `SELECT event_time >= ${nearerHiddenTime} FROM ${part}.tests WHERE id = ?`;
  return prepared<[bigint], number | null>(db, sql).pluck().get(test) === 1;
}

export function isWhole(ids: Partial<TableIds>): ids is TableIds {
  return identifiedTables.every((table) => ids[table] !== undefined);
}

export const guardComment = "keeps ids of moved runs from being handed out again; see megatest-jobs";

/**
 * Checks that the attached databases, including megatest.db, would accept guards.
 *
 * @throws JobsError `unknown-schema`, `ids-used-up`
 */
export function assertGuardsFit(db: Connection, parts: readonly Part[]): void {
  const next = (table: IdentifiedTable) => {
    const ids = parts
      // Another schema is reported elsewhere.
      .filter((part) => hasColumn(db, part, table, "id"))
      .map((part) => largestId(db, `${part}.${table}`) ?? 0n);
    return idAbove(
      table,
      ids.reduce((most, id) => (id > most ? id : most), 0n),
    );
  };
  const ids = Object.fromEntries(identifiedTables.map((table) => [table, next(table)])) as TableIds;
  fitHidden(db, { name: guardName, ids, keys: keysIn(db, "area"), comment: guardComment });
}

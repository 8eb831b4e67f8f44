import { hiddenTime } from "../id-guard-name.ts";
import { type IdentifiedTable, identifiedTables } from "../record-tables.ts";
import { type Connection, type Part, prepared, quoteName, quoteText } from "./connection.ts";
import { preparedIds } from "./ids.ts";
import { affinityOf, columnNames, readColumns } from "./table.ts";
import { withoutTriggers } from "./triggers.ts";

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
const hiddenStep = (name: string): string => `test_id IS NULL AND stepname = ${quoteText(name)}`;
const hiddenDatum = (name: string): string => `test_id IS NULL AND variable = ${quoteText(name)}`;

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

/**
 * The rows of that name in a database, by table. They last where Megatest's `-remove-runs`, which deletes hidden tests older
 * than 30 days, leaves them: those that earlier versions made began in 1970.
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
  // By the index on run_id: without its run the test is that of no run.
  note(
    "tests",
    `run_id = (SELECT max(id) FROM ${part}.runs WHERE ${ofName}) AND testname = ${quoteText(name)}`,
  );
  note("test_steps", hiddenStep(name));
  note("test_data", hiddenDatum(name));
  return { ids, areLasting: isLasting(db, part, ids.tests) };
}

function isLasting(db: Connection, part: Part, test: bigint | undefined): boolean {
  if (test === undefined || !columnNames(db, part, "tests").includes("event_time")) return true;
  const sql = `SELECT event_time = ${hiddenTime} FROM ${part}.tests WHERE id = ?`;
  return prepared<[bigint], number | null>(db, sql).pluck().get(test) === 1;
}

/** True where there is a row in each table. */
export function isWhole(ids: Partial<TableIds>): ids is TableIds {
  return identifiedTables.every((table) => ids[table] !== undefined);
}

/** Fixed values everywhere, so that the row is the same in each database; other columns are NULL or zero. */
function insert(db: Connection, part: Part, table: IdentifiedTable, values: Record<string, unknown>): void {
  const columns = readColumns(db, part, table);
  const filled = columns.map(({ name, type, notNull }) => {
    if (name in values) return values[name];
    if (name === "event_time") return hiddenTime;
    if (name.endsWith("_time") || name === "last_update") return 0;
    return notNull ? (affinityOf(type) === "TEXT" ? "" : 0) : null;
  });
  prepared(
    db,
    `INSERT INTO ${part}.${table} (${columns.map(({ name }) => quoteName(name)).join(", ")})
     VALUES (${columns.map(() => "?").join(", ")})`,
  ).run(...filled);
}

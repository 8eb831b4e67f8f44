import { JobsError } from "../errors.ts";
import {
  type Connection,
  fileOf,
  isConstraintError,
  type Part,
  prepared,
  quoteName,
} from "../sqlite/connection.ts";
import { foldName, NameSet } from "../sqlite/names.ts";
import {
  affinityOf,
  type Column,
  columnNames,
  defaultExpression,
  hasColumn,
  hasTable,
  isComputed,
  readColumns,
} from "../sqlite/table.ts";
import { emptyCopy, isConstrained, uniqueIndexes } from "../sqlite/table-copy.ts";
import { hiddenTime, nearerHiddenTime, noTest, notNamed } from "./hidden-row-names.ts";
import { type IdentifiedTable, identifiedTables } from "./record-tables.ts";

export type TableIds = Record<IdentifiedTable, bigint>;

export interface HiddenRows {
  name: string;
  ids: TableIds;
  keys: readonly string[];
  comment: string;
}

export type HiddenValues = (column: Column) => unknown;

/** A site's constraints may reject the first. */
interface Choice {
  rest: "nothing" | "defaults" | "words";
  test: number | null;
  time: number;
}

const choices: readonly Choice[] = (["nothing", "defaults", "words"] as const).flatMap((rest) =>
  [null, noTest].flatMap((test) => [hiddenTime, nearerHiddenTime].map((time) => ({ rest, test, time }))),
);

/**
 * Returns values that every attached database accepts, tried on empty copies and against unique indexes.
 *
 * @throws JobsError `unknown-schema` if there are none
 */
export function fitHidden(db: Connection, rows: HiddenRows): Record<IdentifiedTable, HiddenValues> {
  const [first] = choices;
  const parts = attachedParts(db).filter((part) => isConstrained(db, part, identifiedTables));
  // Fast for Megatest's own tables: the caller may hold a lock.
  if (parts.length === 0 && first !== undefined)
    return fromTables((table) => valuesOf(db, table, rows, first));
  const copies = parts.map((part) => ({ part, copy: emptyCopy(db, part, identifiedTables) }));
  try {
    return fromTables((table) => fitTable(db, copies, table, rows));
  } finally {
    for (const { copy } of copies) copy.close();
  }
}

const fromTables = (valuesFor: (table: IdentifiedTable) => HiddenValues) =>
  Object.fromEntries(identifiedTables.map((table) => [table, valuesFor(table)])) as Record<
    IdentifiedTable,
    HiddenValues
  >;

/** Returns only keys that are columns of runs. */
export function keysIn(db: Connection, part: Part): string[] {
  if (!hasColumn(db, part, "keys", "fieldname")) return [];
  const columns = new NameSet(columnNames(db, part, "runs"));
  const keys = db.prepare<[], string>(`SELECT fieldname FROM ${part}.keys`).pluck().all();
  return keys.filter((key) => columns.has(key));
}

function attachedParts(db: Connection, parts: readonly Part[] = ["cache", "ref", "area"]): Part[] {
  const names = (db.pragma("database_list") as { name: string }[]).map(({ name }) => name);
  return parts.filter((part) => names.includes(part));
}

function fitTable(
  db: Connection,
  copies: readonly { part: Part; copy: Connection }[],
  table: IdentifiedTable,
  rows: HiddenRows,
): HiddenValues {
  let refusal: JobsError | undefined;
  for (const choice of choices) {
    const values = valuesOf(db, table, rows, choice);
    const refused = copies
      .map(({ part, copy }) => ({ part, why: whyRefused(db, copy, { part, table, rows, values }) }))
      .find(({ why }) => why !== undefined);
    if (refused === undefined) return values;
    refusal ??= rowRejected(db, refused.part, table, refused.why ?? "");
  }
  throw refusal ?? new TypeError("no choice");
}

/** Returns undefined if the row is accepted. */
function whyRefused(
  db: Connection,
  copy: Connection,
  {
    part,
    table,
    rows,
    values,
  }: { part: Part; table: IdentifiedTable; rows: HiddenRows; values: HiddenValues },
): string | undefined {
  if (!hasTable(db, part, table)) return undefined;
  try {
    copy.exec(`DELETE FROM main.${table}`);
    insertHidden(copy, "main", table, values);
  } catch (error) {
    if (isConstraintError(error)) return error.message;
    throw error;
  }
  const columns = new Map(readColumns(db, part, table).map((column) => [foldName(column.name), column]));
  for (const { name, columns: indexed, where } of uniqueIndexes(db, part, table)) {
    const held = indexed
      .map((column) => columns.get(foldName(column)))
      .map((column) => column && values(column));
    if (held.some((value) => value === null || value === undefined)) continue;
    const same = indexed.map((column) => `x.${quoteName(column)} = ?`).join(" AND ");
    const isThere = copy.prepare(`SELECT 1 FROM main.${table} WHERE ${where}`).get() !== undefined;
    const other = `SELECT 1 FROM ${part}.${table} AS x WHERE ${same} AND ${where} AND ${notNamed(table, "x", rows.name)}`;
    if (isThere && db.prepare<unknown[]>(other).get(...held) !== undefined)
      return `the unique index ${name} has such a row`;
  }
  return undefined;
}

export function insertHidden(
  db: Connection,
  part: Part | "main",
  table: IdentifiedTable,
  values: HiddenValues,
): void {
  const columns = readColumns(db, part, table);
  prepared<unknown[]>(
    db,
    `INSERT INTO ${part}.${table} (${columns.map(({ name }) => quoteName(name)).join(", ")})
     VALUES (${columns.map(() => "?").join(", ")})`,
  ).run(...columns.map(values));
}

function valuesOf(db: Connection, table: IdentifiedTable, rows: HiddenRows, choice: Choice): HiddenValues {
  const given = new Map(
    Object.entries(givenValues(db, table, rows, choice)).map(([name, value]) => [foldName(name), value]),
  );
  return (column) => {
    const name = foldName(column.name);
    if (given.has(name)) return given.get(name);
    if (name === "event_time") return choice.time;
    // A directory named by a row may be removed with it.
    if (choice.rest === "words" && /dir$/.test(name)) return "/tmp/badname";
    if (name.endsWith("_time") || name === "last_update") return 0;
    return otherValue(db, column, rows.name, choice);
  };
}

function otherValue(db: Connection, column: Column, word: string, { rest }: Choice): unknown {
  const isText = affinityOf(column.type) === "TEXT";
  if (rest === "words") return isText ? word : 1;
  if (rest === "defaults" && column.defaultSql !== null && !isComputed(column.defaultSql))
    return db
      .prepare(`SELECT ${defaultExpression(column)}`)
      .pluck()
      .get();
  if (!column.notNull) return null;
  return isText ? "" : 0;
}

function givenValues(
  db: Connection,
  table: IdentifiedTable,
  { name, ids, keys, comment: text }: HiddenRows,
  { rest, test }: Choice,
): Record<string, unknown> {
  const [id, comment] = [ids[table], rest === "nothing" ? text : ""];
  if (table === "runs") {
    // Megatest writes `x` for an empty value; a restricted column needs a value of an existing run.
    const example = rest === "words" ? exampleRun(db, keys) : {};
    const target = Object.fromEntries(
      keys.map((key) => [key, example[key] ?? (rest === "nothing" ? "" : "x")]),
    );
    return { ...target, id, runname: name, state: "deleted", comment };
  }
  if (table === "tests") {
    const own = { run_id: ids.runs, testname: name, item_path: "" };
    return { id, ...own, state: "DELETED", status: "n/a", comment };
  }
  return { id, test_id: test, [table === "test_steps" ? "stepname" : "variable"]: name, comment };
}

/** Returns the target of a visible run; if all have moved, hidden ones show what is allowed. */
function exampleRun(db: Connection, keys: readonly string[]): Record<string, unknown> {
  const parts = [...attachedParts(db).toReversed(), ...attachedParts(db, ["completed"])];
  const list = keys.map((key) => `${quoteName(key)} AS ${quoteName(key)}`).join(", ");
  for (const isShown of [true, false]) {
    for (const part of parts) {
      const there = new NameSet(columnNames(db, part, "runs"));
      if (keys.length === 0 || !keys.every((key) => there.has(key))) continue;
      const which = isShown && there.has("state") ? "coalesce(x.state, '') <> 'deleted'" : "1";
      const found = db
        .prepare(`SELECT ${list} FROM ${part}.runs AS x WHERE ${which} ORDER BY id LIMIT 1`)
        .get();
      if (found !== undefined) return found as Record<string, unknown>;
    }
  }
  return {};
}

export function rowRejected(db: Connection, part: Part, table: string, why: string): JobsError {
  const file = fileOf(db, part);
  return new JobsError(
    "unknown-schema",
    `table ${table} of ${file} rejects the row that guards ids: ${why}`,
    {
      hint: "let the constraint allow a hidden row (see docs/operations.md, what a site adds to the schema), or drop it",
      details: { file, table },
    },
  );
}

import {
  type IdentifiedTable,
  isIdentified,
  type RecordShape,
  recordShapes,
} from "../../../shared/area-db/record-tables.ts";
import { isIdText } from "../../../shared/sqlite/run-id.ts";

/** A row of `mtjobs_superseded`. */
export interface KeptVersion {
  id: bigint;
  table_name: string;
  row_id: bigint | null;
  columns: string;
  row: string;
  carried: string;
}

/** Returns the id that a row gets; its own if it keeps that. */
export type NewId = (table: IdentifiedTable, old: bigint) => bigint;

export interface Renumbered {
  rowId: bigint | null;
  row: string;
  carried: string;
}

/** Gives a version the ids that its rows get: by these it is found, and an old id may be another row's. */
export function underNewIds(version: KeptVersion, newId: NewId): Renumbered {
  const { table_name: table, row_id, columns, row, carried } = version;
  const rowId = row_id === null || !isIdentified(table) ? row_id : newId(table, row_id);
  const shape = recordShapes.find((each) => each.table === table);
  const names = namesOf(columns);
  if (shape === undefined || names === undefined) return { rowId, row, carried };
  const literals = splitLiterals(row);
  const parent = shape.parent === null ? undefined : literals[names.indexOf(shape.parent)];
  const renumbered = literals.map((literal, at) => newLiteral(shape, names[at], literal, newId));
  const [first, ...rest] = splitLiterals(carried);
  // The parent's id is the first value of `carried`, if it has one.
  const own =
    parent !== undefined && first === parent
      ? [newLiteral(shape, shape.parent, first, newId), ...rest].join(",")
      : carried;
  return { rowId, row: renumbered.join(","), carried: own };
}

function newLiteral({ table, parent }: RecordShape, name: unknown, literal: string, newId: NewId): string {
  const owner =
    name === parent ? (parent === "run_id" ? "runs" : "tests") : name === "id" ? table : undefined;
  if (owner === undefined || !isIdentified(owner) || !isIdText(literal)) return literal;
  return String(newId(owner, BigInt(literal)));
}

/** Returns the names that a version's `columns` lists; undefined if it is damaged. */
export function namesOf(columns: string): unknown[] | undefined {
  try {
    const names: unknown = JSON.parse(columns);
    return Array.isArray(names) ? names : undefined;
  } catch {
    return undefined;
  }
}

/** Splits SQL literals that commas separate. */
export function splitLiterals(literals: string): string[] {
  const found: string[] = [];
  let start = 0;
  let quoted = false;
  for (let at = 0; at < literals.length; at++) {
    const sign = literals[at];
    // A quote in a text is doubled: it ends the text and begins it again.
    if (sign === "'") quoted = !quoted;
    if (sign !== "," || quoted) continue;
    found.push(literals.slice(start, at));
    start = at + 1;
  }
  found.push(literals.slice(start));
  return found;
}

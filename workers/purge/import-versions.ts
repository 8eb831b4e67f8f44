import { isIdentified, type RecordShape, recordShapes } from "../../shared/area-db/record-tables.ts";
import { prepared } from "../../shared/sqlite/connection.ts";
import { idRanges, preparedIds } from "../../shared/sqlite/ids.ts";
import { isIdText } from "../../shared/sqlite/run-id.ts";
import { splitLiterals } from "../move/copy/superseded-of-runs.ts";
import type { JobSession } from "../move/session/job-session.ts";

/** Versions read in one statement. */
const chunk = 1_000;

/** A row of `mtjobs_superseded`. */
interface Version {
  id: bigint;
  table_name: string;
  row_id: bigint | null;
  columns: string;
  row: string;
  carried: string;
}

/**
 * Adds the versions kept of a run's rows, each once, under the ids that the rows get: by these a version is found, and
 * an old id may be another row's. Call inside a transaction, with `export` attached.
 */
export function addVersions(session: JobSession): void {
  const { db } = session;
  const read = prepared<[bigint, bigint], Version>(
    db,
    `SELECT id, table_name, row_id, columns, row, carried FROM export.mtjobs_superseded
     WHERE id BETWEEN ? AND ? ORDER BY id`,
  ).safeIntegers();
  const add = prepared<Record<string, unknown>>(
    db,
    `INSERT INTO completed.mtjobs_superseded (table_name, row_id, source, reason, job_id, at, columns, row, carried)
     SELECT table_name, :rowId, source, reason, job_id, at, columns, :row, :carried FROM export.mtjobs_superseded AS e
     WHERE e.id = :id AND NOT EXISTS (SELECT 1 FROM completed.mtjobs_superseded AS p
       WHERE p.table_name = e.table_name AND p.row_id IS :rowId AND p.row = :row)`,
  );
  for (const range of idRanges(db, "export.mtjobs_superseded", chunk)) {
    for (const version of read.all(...range)) add.run(underNewIds(session, version));
  }
}

function underNewIds(session: JobSession, { id, table_name: table, row_id, columns, row, carried }: Version) {
  const shape = recordShapes.find((each) => each.table === table);
  if (shape === undefined) return { id, rowId: row_id, row, carried };
  const names = JSON.parse(columns) as string[];
  const literals = splitLiterals(row);
  const parent = shape.parent === null ? undefined : literals[names.indexOf(shape.parent)];
  const renumbered = literals.map((literal, at) => newLiteral(session, shape, names[at], literal));
  const [first, ...rest] = splitLiterals(carried);
  // The parent's id is the first value of `carried`, if it has one.
  const own =
    parent !== undefined && first === parent
      ? [newLiteral(session, shape, shape.parent ?? "", first), ...rest].join(",")
      : carried;
  const rowId = row_id === null || !isIdentified(table) ? row_id : newId(session, table, row_id);
  return { id, rowId, row: renumbered.join(","), carried: own };
}

function newLiteral(
  session: JobSession,
  { table, parent }: RecordShape,
  name: string | undefined,
  literal: string,
): string {
  const owner =
    name === parent ? (parent === "run_id" ? "runs" : "tests") : name === "id" ? table : undefined;
  if (owner === undefined || !isIdentified(owner) || !isIdText(literal)) return literal;
  return String(newId(session, owner, BigInt(literal)));
}

function newId({ db }: JobSession, table: string, old: bigint): bigint {
  const found = preparedIds<[string, bigint]>(
    db,
    "SELECT new_id FROM temp.import_ids WHERE table_name = ? AND old_id = ?",
  );
  return found.get(table, old) ?? old;
}

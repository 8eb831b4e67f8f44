import { prepared } from "../../../shared/sqlite/connection.ts";
import type { RecordPlan } from "../../records/record-tables.ts";
import { rowLiteral } from "../../records/row-sql.ts";
import type { JobSession } from "../session/job-session.ts";
import { namesOf, splitLiterals } from "./kept-version.ts";
import { identityOf } from "./reused-ids.ts";

/** Rows of tables that never sync have no names. */
function nameColumns(record: RecordPlan): readonly string[] {
  return record.synced ? identityOf(record) : [record.parent ?? "id"];
}

/** Returns the literals by which a version's row is known; undefined if it lacks one. */
export function nameIn(record: RecordPlan, columns: string, row: string): string | undefined {
  const names = namesOf(columns);
  const literals = splitLiterals(row);
  const found = nameColumns(record).map((name) => literals[names?.indexOf(name) ?? -1]);
  return found.includes(undefined) ? undefined : found.join(",");
}

/** Returns the same literals of the row with that id; empty if there is none. */
export function namesAt(
  { db }: JobSession,
  part: "completed" | JobSession["sources"][number],
  record: RecordPlan,
  id: bigint,
): string[] {
  const columns = nameColumns(record);
  if (!columns.every((name) => record.columnsIn(part).includes(name))) return [];
  return prepared<[bigint], string>(
    db,
    `SELECT ${rowLiteral("x", columns)} FROM ${part}.${record.table} AS x WHERE x.id = ?`,
  )
    .pluck()
    .all(id);
}

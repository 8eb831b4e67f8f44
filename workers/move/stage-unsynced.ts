import { quoteName } from "../../shared/sqlite/connection.ts";
import { columnList } from "../../shared/sqlite/row-sql.ts";
import { rowsOfSlice } from "./children.ts";
import type { Source } from "./databases.ts";
import type { JobSession } from "./move.ts";
import { readSources } from "./read-sources.ts";
import type { RecordPlan } from "./record-tables.ts";
import { partnersOf, unmatchedRows } from "./unsynced-rows.ts";

/** Staged rows of never-synced tables are numbered: the freshest database's from 1, megatest.db's from here. */
const aboveFresh = 2 ** 52;

/** Stages the rows of a never-synced table: the cache's, and those that only megatest.db has, by parent and content. */
export async function stageUnsynced(move: JobSession, record: RecordPlan): Promise<void> {
  const { fresh } = move;
  const { mixed } = record;
  const rows = (part: Source) =>
    `SELECT ${columnList(record.columnsIn(part), "x")} FROM ${rowsOfSlice(part, record, "x")}`;
  await addUnsynced(move, record, fresh, rows(fresh));
  if (fresh === "area") return;
  const columns = record.columnsIn("area");
  const cached = record.columnsIn("cache");
  const compared = columns.filter((name) => cached.includes(name));
  const own = columns.filter((name) => !cached.includes(name));
  const known = `SELECT stage_row, ${columnList(compared)} FROM temp.stage_${record.table} WHERE ${isOfSlice(record)}`;
  if (compared.length === 0) return addUnsynced(move, record, "area", rows("area"));
  if (own.length > 0) {
    // Only megatest.db has these columns.
    await readSources(
      move,
      `UPDATE temp.stage_${record.table} AS t SET ${own.map((name) => `${quoteName(name)} = p.${quoteName(name)}`).join(", ")}
       FROM (${partnersOf(known, rows("area"), { key: "stage_row", compared, own, mixed })}) AS p
       WHERE p.stage_row = t.stage_row`,
    );
  }
  await addUnsynced(move, record, "area", unmatchedRows(rows("area"), known, { columns, compared, mixed }));
}

const isOfSlice = ({ parent }: RecordPlan) =>
  `${parent} IN (SELECT id FROM temp.${parent === "run_id" ? "slice_runs" : "slice_tests"})`;

/** The cache's rows come first, in whatever slice they are read: they keep an id that another row wants. */
async function addUnsynced(
  move: JobSession,
  record: RecordPlan,
  part: Source,
  select: string,
): Promise<void> {
  const columns = record.columnsIn(part);
  if (columns.length === 0) return;
  const isFresh = part === move.fresh;
  const rest = columns.filter((name) => name !== "id");
  const last = isFresh
    ? `coalesce((SELECT max(stage_row) FROM temp.stage_${record.table} WHERE stage_row <= ${aboveFresh}), 0)`
    : `max(${aboveFresh}, coalesce((SELECT max(stage_row) FROM temp.stage_${record.table}), 0))`;
  const added = await readSources(
    move,
    `INSERT INTO temp.stage_${record.table} (${columnList(["stage_row", "id", ...rest])})
     SELECT ${last} + row_number() OVER (), ${columnList(["id", ...rest], "n")} FROM (${select}) AS n`,
  );
  if (isFresh || added === 0) return;
  // An id of any cache row belongs to that row, even if it is staged later.
  await readSources(
    move,
    `UPDATE temp.stage_${record.table} AS n SET id = NULL
     WHERE ${isOfSlice(record)} AND stage_row > ${aboveFresh} AND EXISTS (SELECT 1 FROM ${move.fresh}.${record.table} AS f WHERE f.id = n.id)`,
  );
}

import { quoteName, quoteText } from "../../../shared/sqlite/connection.ts";
import type { Source } from "../../area-db/databases.ts";
import { rowsOfSlice } from "../../records/child-index.ts";
import type { RecordPlan } from "../../records/record-tables.ts";
import { columnList } from "../../records/row-sql.ts";
import { partnersOf, unmatchedRows } from "../../records/unsynced-rows.ts";
import type { JobSession } from "../session/job-session.ts";
import { readSources } from "./read-sources.ts";
import { recordVersions } from "./stage-superseded.ts";

/** Staged rows of never-synced tables are numbered: the freshest database's from 1, megatest.db's from here. */
const aboveFresh = 2 ** 52;

/** Stages the rows of a never-synced table: the cache's, and those that only megatest.db has, by parent and content. */
export async function stageUnsynced(session: JobSession, record: RecordPlan): Promise<void> {
  const { fresh } = session;
  const { mixed } = record;
  const rows = (part: Source) =>
    `SELECT ${columnList(record.columnsIn(part), "x")} FROM ${rowsOfSlice(part, record, "x")}`;
  await addUnsynced(session, record, fresh, rows(fresh));
  if (fresh === "area" || record.columnsIn("area").length === 0) return;
  const columns = record.columnsIn("area");
  const cached = record.columnsIn("cache");
  const compared = columns.filter((name) => cached.includes(name));
  const own = columns.filter((name) => !cached.includes(name));
  const known = `SELECT mtjobs_row, ${columnList(compared)} FROM temp.stage_${record.table} WHERE ${isOfSlice(record)}`;
  if (compared.length === 0) return addUnsynced(session, record, "area", rows("area"));
  if (own.length > 0) {
    // Only megatest.db has these columns.
    await readSources(
      session,
      `UPDATE temp.stage_${record.table} AS t SET ${own.map((name) => `${quoteName(name)} = p.${quoteName(name)}`).join(", ")}
       FROM (${partnersOf(known, rows("area"), { key: "mtjobs_row", compared, own, mixed })}) AS p
       WHERE p.mtjobs_row = t.mtjobs_row`,
    );
  }
  const alone = (part: Source) =>
    unmatchedRows(rows(part), known, { columns: record.columnsIn(part), compared, mixed });
  const { table } = record;
  const note = `INSERT OR IGNORE INTO temp.differing (table_name, id) SELECT ${quoteText(table)}, id FROM (${alone("area")})`;
  if ((await readSources(session, note)) === 0) return;
  if (session.sources.includes("ref")) await keepReplaced(session, record, alone);
  await addUnsynced(
    session,
    record,
    "area",
    `SELECT ${columnList(columns, "x")} FROM temp.differing AS f CROSS JOIN area.${table} AS x ON x.id = f.id
     WHERE f.table_name = ${quoteText(table)} AND f.winner IS NULL`,
  );
}

/**
 * Keeps rows of a never-synced table that megatest.db has as the ref does, if the cache has others of that parent: a
 * restore put them into all three databases, and a client replaced them in the cache since.
 *
 * @param alone a SELECT of a part's rows of the slice that the cache lacks
 */
async function keepReplaced(
  session: JobSession,
  record: RecordPlan,
  alone: (part: Source) => string,
): Promise<void> {
  const { table, mixed, parent } = record;
  const [cached, inRef] = [record.columnsIn("cache"), record.columnsIn("ref")];
  const shared = record.columnsIn("area").filter((name) => cached.includes(name));
  // Without all columns it cannot tell which of the cache's rows it has.
  if (parent === null || !shared.every((name) => inRef.includes(name))) return;
  const compared = record.columnsIn("area").filter((name) => inRef.includes(name));
  const both = partnersOf(alone("area"), alone("ref"), { key: "id", compared, own: [parent], mixed });
  await readSources(
    session,
    `UPDATE temp.differing SET winner = 'none' WHERE table_name = ${quoteText(table)} AND id IN (SELECT id FROM (${both})
       WHERE ${parent} IN (SELECT ${parent} FROM temp.stage_${table} WHERE mtjobs_row <= ${aboveFresh}))`,
  );
  await recordVersions(session, record, {
    winner: "none",
    superseded: "area",
    reason: "replaced in the cache",
  });
}

const isOfSlice = ({ parent }: RecordPlan) =>
  `${parent} IN (SELECT id FROM temp.${parent === "run_id" ? "slice_runs" : "slice_tests"})`;

/** The cache's rows come first, in whatever slice they are read: they keep an id that another row wants. */
async function addUnsynced(
  session: JobSession,
  record: RecordPlan,
  part: Source,
  select: string,
): Promise<void> {
  const columns = record.columnsIn(part);
  if (columns.length === 0) return;
  const isFresh = part === session.fresh;
  const rest = columns.filter((name) => name !== "id");
  const last = isFresh
    ? `coalesce((SELECT max(mtjobs_row) FROM temp.stage_${record.table} WHERE mtjobs_row <= ${aboveFresh}), 0)`
    : `max(${aboveFresh}, coalesce((SELECT max(mtjobs_row) FROM temp.stage_${record.table}), 0))`;
  const added = await readSources(
    session,
    `INSERT INTO temp.stage_${record.table} (${columnList(["mtjobs_row", "id", ...rest])})
     SELECT ${last} + row_number() OVER (), ${columnList(["id", ...rest], "n")} FROM (${select}) AS n`,
  );
  if (isFresh || added === 0 || record.columnsIn(session.fresh).length === 0) return;
  // An id of any cache row belongs to that row, even if it is staged later.
  await readSources(
    session,
    `UPDATE temp.stage_${record.table} AS n SET id = NULL
     WHERE ${isOfSlice(record)} AND mtjobs_row > ${aboveFresh} AND EXISTS (SELECT 1 FROM ${session.fresh}.${record.table} AS f WHERE f.id = n.id)`,
  );
}

import { prepared, quoteText } from "../../../shared/sqlite/connection.ts";
import { idList } from "../../../shared/sqlite/ids.ts";
import { NameSet } from "../../../shared/sqlite/names.ts";
import { columnNames } from "../../../shared/sqlite/table.ts";
import { withSyncTriggers } from "../../../shared/sqlite/triggers.ts";
import type { AreaSession } from "../../records/area-session.ts";
import type { RecordPlan } from "../../records/record-tables.ts";
import { columnList, rowLiteral, sameName, sameRow } from "../../records/row-sql.ts";
import { collectChildren, commitSuperseded } from "../../records/superseded.ts";
import { writtenColumns } from "../../records/sync-kind.ts";
import { clearTempTables } from "../../records/temp-tables.ts";

/** Copies cache rows as Megatest's sync does: its columns, and by name even if the id differs. */
export function copyFromCache(
  session: AreaSession,
  record: RecordPlan,
  part: "area" | "ref",
  ids: readonly bigint[],
): void {
  const { db } = session;
  const columns = columnList(["id", ...writtenColumns(session, record, "cache", part)]);
  withSyncTriggers(db, part, () =>
    prepared<[string]>(
      db,
      `INSERT OR REPLACE INTO ${part}.${record.table} (${columns})
       SELECT ${columns} FROM cache.${record.table} WHERE id IN (SELECT value FROM json_each(?))`,
    ).run(idList(ids)),
  );
}

/** An attached database with rows that cache and megatest.db had in common: those need not be kept. */
export type Ancestor = "base" | "ref";

/** Writes the cache's rows over megatest.db's, after keeping what only those hold. Returns how many rows were kept. */
export async function replaceInArea(
  session: AreaSession,
  record: RecordPlan,
  ids: readonly bigint[],
  ancestors: readonly Ancestor[] = [],
): Promise<number> {
  clearTempTables(session.db, "superseded");
  const note = () => noteDisplaced(session, record, ids, ancestors);
  let kept = await session.read(note);
  for (let isDone = false; !isDone; ) {
    if (kept > 0) await commitSuperseded(session);
    isDone = await session.commit("area", () => {
      // A concurrent sync wrote another version.
      const more = note();
      kept += more;
      if (more > 0) return false;
      copyFromCache(session, record, "area", ids);
      return true;
    });
  }
  return kept;
}

/**
 * Adds to `temp.superseded` the rows whose id or name is taken, unless the cache has the same row under that name: their
 * own cache may be gone. Rows merged under another parent are kept too.
 */
function noteDisplaced(
  session: AreaSession,
  record: RecordPlan,
  ids: readonly bigint[],
  ancestors: readonly Ancestor[],
): number {
  const { db } = session;
  const { table, naturalKey } = record;
  const all = record.columnsIn("area");
  const content = record
    .carried("cache", "area")
    .filter((name) => name !== "id" && name !== "last_update" && !naturalKey.includes(name));
  const row = rowLiteral("a", all);
  const isKnown = ["cache" as const, ...ancestors].flatMap((part) => {
    const there = new NameSet(part === "base" ? columnNames(db, part, table) : record.columnsIn(part));
    if (!naturalKey.every((name) => there.has(name))) return [];
    const compared = content.filter((name) => there.has(name));
    return `EXISTS (SELECT 1 FROM ${part}.${table} AS n
         WHERE ${sameName("n", "a", naturalKey)} AND ${sameRow("n", "a", compared, record.mixed)})`;
  });
  const displaced = prepared<{ columns: string; ids: string }>(
    db,
    `INSERT INTO temp.superseded (table_name, row_id, source, reason, columns, row, carried)
     SELECT ${quoteText(table)}, a.id, 'area', 'its id or name belongs to another row at home', :columns, ${row}, ${rowLiteral("a", record.carried("area", "completed"))}
     FROM area.${table} AS a
     WHERE a.id IN (SELECT value FROM json_each(:ids) UNION SELECT n.id FROM json_each(:ids) AS j
         CROSS JOIN cache.${table} AS c ON c.id = j.value CROSS JOIN area.${table} AS n ON ${sameName("n", "c", naturalKey)})
       AND NOT (${isKnown.join(" OR ")})
       AND NOT EXISTS (SELECT 1 FROM temp.superseded AS l WHERE l.row_id = a.id AND l.row = ${row})`,
  ).run({ columns: JSON.stringify(all), ids: idList(ids) }).changes;
  if (table !== "tests" || displaced === 0) return displaced;
  const gone = `SELECT l.row_id FROM temp.superseded AS l WHERE l.table_name = 'tests'
    AND NOT EXISTS (SELECT 1 FROM cache.tests AS c WHERE c.id = l.row_id)`;
  return displaced + collectChildren(session, gone, "its test was replaced under another id");
}

import { gapName, notNamed } from "../../shared/area-db/hidden-row-names.ts";
import { type Connection, quoteText } from "../../shared/sqlite/connection.ts";
import type { IdRange } from "../../shared/sqlite/ids.ts";
import type { Source } from "../area-db/databases.ts";
import type { AreaSession } from "./area-session.ts";
import type { RecordPlan } from "./record-tables.ts";
import { rowLiteral, sameName, sameRow } from "./row-sql.ts";
import { collectChildren } from "./superseded.ts";

// Finds the rows that differ between cache and megatest.db, the newer version, and what to keep of the other:
// `temp.differing`, `temp.superseded`.

/** Drops rows that would need a write to the cache; returns how many. */
export function leaveNewerElsewhere(db: Connection): number {
  return db.prepare("DELETE FROM temp.differing WHERE winner IN ('area', 'alone')").run().changes;
}

/** Records which side is newer for each row that differs; see stage.ts for the rule. */
export function collectDiffering(session: AreaSession, record: RecordPlan, [from, to]: IdRange): number {
  const { table } = record;
  const hasRef = session.sources.includes("ref");
  const timed = (["ref", "area"] as const).every((part) => record.columnsIn(part).includes("last_update"));
  const agreed = hasRef
    ? `EXISTS (SELECT 1 FROM ref.${table} AS r WHERE r.id = c.id AND ${sameRow("c", "r", record.carried("cache", "ref"))}
        AND ${timed ? "m.last_update > r.last_update" : "0"})`
    : "0";
  // In the ref but not in the cache: a client deleted it there, and a refill would keep that.
  const deleted = hasRef
    ? `EXISTS (SELECT 1 FROM ref.${table} AS r WHERE r.id = m.id AND ${sameRow("m", "r", record.carried("area", "ref"))})`
    : "0";
  const renamed = `EXISTS (SELECT 1 FROM cache.${table} AS n WHERE ${sameName("n", "m", record.naturalKey)})`;
  const { changes } = session.db
    .prepare(
      `INSERT INTO temp.differing (table_name, id, winner)
       SELECT ${quoteText(table)}, m.id, CASE WHEN c.id IS NULL THEN 'alone' WHEN ${agreed} THEN 'area' ELSE 'cache' END
       FROM area.${table} AS m LEFT JOIN cache.${table} AS c ON c.id = m.id
       WHERE m.id BETWEEN :from AND :to AND (
         CASE WHEN c.id IS NULL THEN NOT (${deleted}) AND NOT (${renamed})
           ELSE NOT (${sameRow("c", "m", record.carried("cache", "area"))}) END)`,
    )
    .run({ from, to });
  const missing = session.db
    .prepare(
      `INSERT INTO temp.differing (table_name, id, winner)
       SELECT ${quoteText(table)}, c.id, 'missing' FROM cache.${table} AS c
       WHERE c.id BETWEEN :from AND :to AND NOT EXISTS (SELECT 1 FROM area.${table} AS m WHERE m.id = c.id)
         AND ${notNamed(table, "c", gapName) ?? "1"}`,
    )
    .run({ from, to });
  return changes + missing.changes;
}

/**
 * SQL: megatest.db's row `x` equals the ref's, so that the cache's newer version was only not yet synced: no
 * conflict. Without a ref this is unknown.
 */
export function isUnsynced(session: AreaSession, record: RecordPlan, superseded: Source): string {
  if (superseded !== "area" || !session.sources.includes("ref")) return "0";
  return `EXISTS (SELECT 1 FROM ref.${record.table} AS r WHERE r.id = x.id
    AND ${sameRow("x", "r", record.carried("area", "ref"), record.mixed)})`;
}

/** Records in `temp.superseded` the versions that are about to be overwritten. */
export function collectSuperseded(session: AreaSession, record: RecordPlan): void {
  for (const [part, winner, reason] of [
    ["cache", "area", "newer in megatest.db"],
    ["area", "cache", "newer in the cache"],
  ] as const) {
    const columns = record.columnsIn(part);
    session.db
      .prepare(
        `INSERT INTO temp.superseded (table_name, row_id, source, reason, columns, row, carried, unsynced)
         SELECT ${quoteText(record.table)}, x.id, ${quoteText(part)}, ?, ?, ${rowLiteral("x", columns)},
           ${rowLiteral("x", record.carried(part, "completed"))}, ${isUnsynced(session, record, part)}
         FROM temp.differing AS f CROSS JOIN ${part}.${record.table} AS x ON x.id = f.id WHERE f.winner = ${quoteText(winner)}`,
      )
      .run(reason, JSON.stringify(columns));
  }
  const columns = record.columnsIn("area");
  session.db
    .prepare(
      `INSERT INTO temp.superseded (table_name, row_id, source, reason, columns, row, carried)
       SELECT ${quoteText(record.table)}, x.id, 'area', 'replaced in the cache under another id', ?, ${rowLiteral("x", columns)},
         ${rowLiteral("x", record.carried("area", "completed"))}
       FROM temp.differing AS f CROSS JOIN cache.${record.table} AS c ON c.id = f.id
       CROSS JOIN area.${record.table} AS x ON ${sameName("x", "c", record.naturalKey)}
       WHERE f.winner IN ('missing', 'cache') AND x.id <> c.id`,
    )
    .run(JSON.stringify(columns));
  if (record.table !== "tests") return;
  const replaced = `SELECT l.row_id FROM temp.superseded AS l WHERE l.table_name = 'tests' AND l.source = 'area'
    AND NOT EXISTS (SELECT 1 FROM cache.tests AS c WHERE c.id = l.row_id)`;
  collectChildren(session, replaced, "its test was replaced in the cache under another id");
}

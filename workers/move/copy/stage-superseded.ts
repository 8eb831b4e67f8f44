import { prepared, quoteText } from "../../../shared/sqlite/connection.ts";
import type { Source } from "../../area-db/databases.ts";
import { rowsOfSlice } from "../../records/child-index.ts";
import { isUnsynced } from "../../records/differing-rows.ts";
import type { RecordPlan } from "../../records/record-tables.ts";
import { rowLiteral } from "../../records/row-sql.ts";
import type { JobSession } from "../session/job-session.ts";
import { readSources } from "./read-sources.ts";

// Adds the versions that lose while rows are staged to `temp.superseded`.

/** Keeps each losing version: the cache's if megatest.db is newer, else megatest.db's. */
export async function recordLosingVersions(session: JobSession, record: RecordPlan): Promise<void> {
  const which = [
    ["area", "cache", "newer in megatest.db"],
    ["cache", "area", "newer in the cache"],
    ["none", "area", "replaced in the cache under another id"],
  ] as const;
  const winners = new Set(
    prepared<[string], string>(
      session.db,
      "SELECT DISTINCT winner FROM temp.differing WHERE table_name = ? AND winner IS NOT NULL",
    )
      .pluck()
      .all(record.table),
  );
  for (const [winner, superseded, reason] of which)
    if (winners.has(winner)) await recordVersions(session, record, { winner, superseded, reason });
  if (record.table === "tests") await recordReplacedChildren(session);
}

interface Superseded {
  winner: "area" | "cache" | "none";
  superseded: Source;
  reason: string;
}

export async function recordVersions(
  session: JobSession,
  record: RecordPlan,
  { winner, superseded: part, reason }: Superseded,
): Promise<void> {
  const columns = record.columnsIn(part);
  await readSources(
    session,
    `INSERT INTO temp.superseded (table_name, row_id, source, reason, columns, row, carried, unsynced, parent)
       SELECT ${quoteText(record.table)}, x.id, ${quoteText(part)}, ?, ?, ${rowLiteral("x", columns)},
         ${rowLiteral("x", record.carried(part, "completed"))},
         ${winner === "cache" ? isUnsynced(session, record, part) : "0"}, ${record.synced || record.parent === null ? "NULL" : `x.${record.parent}`}
       FROM temp.differing AS f CROSS JOIN ${part}.${record.table} AS x ON x.id = f.id
       WHERE f.table_name = ${quoteText(record.table)} AND f.winner = ${quoteText(winner)}`,
    reason,
    JSON.stringify(columns),
  );
}

/** Keeps the steps and data of megatest.db's tests that lost to a test of the same name. */
async function recordReplacedChildren(session: JobSession): Promise<void> {
  const { db } = session;
  const lost = "SELECT id FROM temp.differing WHERE table_name = 'tests' AND winner = 'none'";
  if (prepared(db, `SELECT EXISTS (${lost})`).pluck().get() === 0) return;
  await recordChildrenOf(session, lost);
  db.exec(`DELETE FROM temp.slice_tests WHERE id IN (${lost})`);
}

/** @param lost a SELECT of the ids of tests */
export async function recordChildrenOf(session: JobSession, lost: string): Promise<void> {
  for (const record of session.records.filter(({ parent }) => parent === "test_id")) {
    const columns = record.columnsIn("area");
    await readSources(
      session,
      `INSERT INTO temp.superseded (table_name, row_id, source, reason, columns, row, carried)
       SELECT ${quoteText(record.table)}, x.id, 'area', 'its test was replaced under another id', ?,
         ${rowLiteral("x", columns)}, ${rowLiteral("x", record.carried("area", "completed"))}
       FROM ${rowsOfSlice("area", record, "x")} WHERE s.id IN (${lost})`,
      JSON.stringify(columns),
    );
  }
}

import { type Connection, prepared } from "../../../shared/sqlite/connection.ts";
import { preparedIds } from "../../../shared/sqlite/ids.ts";
import { NameSet } from "../../../shared/sqlite/names.ts";
import { columnNames, hasColumn } from "../../../shared/sqlite/table.ts";
import type { Source } from "../../area-db/databases.ts";
import { columnList } from "../../records/row-sql.ts";

// `tests.archived` refers to a block of the archive, and a block to its disk. Neither table is synced, so an id may
// mean another path in completed-runs.db: then the block gets a new id there, the test follows, and `mtjobs_archived`
// keeps Megatest's id.

type ArchiveTable = "archive_disks" | "archive_blocks";

/** Sources of blocks, in order; not the ref, as for all rows. */
export function blockSources(sources: readonly Source[]): Source[] {
  return (["cache", "area"] as const).filter((part) => sources.includes(part));
}

/**
 * Copies the blocks of tests, and their disks, into temporary tables. Call outside a transaction.
 *
 * @param parts sources of blocks, in order
 * @param tests a temporary table of rows of `tests` with the column `archived`
 * @returns false if there is nothing to do: no such tables in this Megatest, or no test with a block
 */
export function stageArchiveBlocks(
  db: Connection,
  parts: readonly (Source | "export")[],
  tests: string,
): boolean {
  const wanted = `SELECT archived FROM ${tests} WHERE typeof(archived) = 'integer' AND archived > 0`;
  if (prepared(db, `SELECT EXISTS (${wanted})`).pluck().get() === 0) return false;
  const known = (["archive_blocks", "archive_disks"] as const).every((table) =>
    hasColumn(db, "completed", table, "disk_path"),
  );
  if (!known) return false;
  stageTable(db, parts, "archive_blocks", wanted);
  stageTable(db, parts, "archive_disks", "SELECT archive_disk_id FROM temp.stage_archive_blocks");
  return true;
}

function stageTable(
  db: Connection,
  parts: readonly (Source | "export")[],
  table: ArchiveTable,
  wanted: string,
): void {
  const columns = columnNames(db, "completed", table);
  const names = columns.map((name) => (name === "id" ? "id INTEGER PRIMARY KEY" : columnList([name])));
  db.exec(
    `CREATE TEMP TABLE IF NOT EXISTS stage_${table} (${names.join(", ")}); DELETE FROM temp.stage_${table}`,
  );
  for (const part of parts) {
    const here = new NameSet(columnNames(db, part, table));
    const common = columnList(columns.filter((name) => here.has(name)));
    if (common === "") continue;
    db.exec(
      `INSERT OR IGNORE INTO temp.stage_${table} (${common}) SELECT ${common} FROM ${part}.${table} WHERE id IN (${wanted})`,
    );
  }
}

/** Blocks or disks that have another id in completed-runs.db. */
export type RenamedBlocks = [from: bigint, to: bigint][];

/** Returns them as one parameter: `value ->> 0` becomes `value ->> 1`. */
export function blockMap(renamed: RenamedBlocks): string {
  return `[${renamed.map(([from, to]) => `[${from},${to}]`).join(",")}]`;
}

/**
 * Adds the staged blocks and disks to completed-runs.db. Call inside its transaction.
 *
 * @returns the blocks that have another id there
 */
export function copyArchiveBlocks(db: Connection): RenamedBlocks {
  rename(db, "stage_archive_blocks", "archive_disk_id", blockMap(bringRows(db, "archive_disks")));
  return bringRows(db, "archive_blocks");
}

/** Does the same and updates the staged tests. */
export function resolveArchiveBlocks(db: Connection): void {
  const map = blockMap(copyArchiveBlocks(db));
  prepared(
    db,
    `INSERT OR REPLACE INTO completed.mtjobs_archived (test_id, original)
     SELECT id, archived FROM temp.stage_tests WHERE archived IN (SELECT value ->> 0 FROM json_each(?))`,
  ).run(map);
  rename(db, "stage_tests", "archived", map);
}

/** One statement for all: successive ones could rename a row twice. */
function rename(db: Connection, table: string, column: string, map: string): void {
  prepared(
    db,
    `UPDATE temp.${table} SET ${column} = (SELECT value ->> 1 FROM json_each(:map) WHERE value ->> 0 = ${column})
     WHERE ${column} IN (SELECT value ->> 0 FROM json_each(:map))`,
  ).run({ map });
}

/** Adds rows that are missing by path; never overwrites. Returns the ids that changed. */
function bringRows(db: Connection, table: ArchiveTable): RenamedBlocks {
  const columns = columnNames(db, "completed", table);
  const rest = columnList(columns.filter((name) => name !== "id"));
  const known = preparedIds<[bigint]>(
    db,
    `SELECT d.id FROM temp.stage_${table} AS x CROSS JOIN completed.${table} AS d ON d.disk_path IS x.disk_path
         WHERE x.id = ? ORDER BY d.id = x.id DESC LIMIT 1`,
  );
  const insert = prepared<[bigint]>(
    db,
    `INSERT INTO completed.${table} (id, ${rest})
       SELECT CASE WHEN EXISTS (SELECT 1 FROM completed.${table} AS d WHERE d.id = x.id) THEN NULL ELSE x.id END, ${rest}
       FROM temp.stage_${table} AS x WHERE x.id = ?`,
  ).safeIntegers();
  const ids = preparedIds<[]>(db, `SELECT id FROM temp.stage_${table}`).all();
  return ids.flatMap((id) => {
    const there = known.get(id) ?? BigInt(insert.run(id).lastInsertRowid);
    return there === id ? [] : [[id, there] as [bigint, bigint]];
  });
}

/** SQL for Megatest's value of `tests.archived`, if the block has a new id in completed-runs.db. */
export function originalBlock(alias: string): string {
  return `coalesce((SELECT a.original FROM completed.mtjobs_archived AS a WHERE a.test_id = ${alias}.id), ${alias}.archived)`;
}

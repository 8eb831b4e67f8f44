import { type IdentifiedTable, identifiedTables } from "../../shared/area-db/record-tables.ts";
import { type Connection, prepared, quoteText } from "../../shared/sqlite/connection.ts";
import { type IdRange, largestId, preparedIds } from "../../shared/sqlite/ids.ts";
import { areGuarded, type GuardIds, raiseGuards } from "../move/ids/id-guards.ts";
import { setRepairFlag } from "../move/ids/repair-flag.ts";
import type { JobSession } from "../move/session/job-session.ts";
import { childrenOf } from "../records/child-index.ts";

/** Ids compared in one statement. */
const chunk = 5_000;

/**
 * Prepares `temp.import_ids`, the new ids of an export's rows: none if all its ids are free in every database of the
 * area, otherwise one for every row, reserved under the guards.
 *
 * @param isOfThisArea rows in the area that name the run or a test of it are late reports, and join it
 */
export async function prepareIds(session: JobSession, isOfThisArea: boolean): Promise<void> {
  const { db, context } = session;
  db.exec(`DROP TABLE IF EXISTS temp.import_ids;
    CREATE TEMP TABLE import_ids (table_name TEXT, old_id INTEGER, new_id INTEGER, PRIMARY KEY (table_name, old_id)) WITHOUT ROWID`);
  if (!(await isAnyTaken(session)) && (isOfThisArea || !(await isAnyNamed(session)))) {
    const highest = Object.fromEntries(
      identifiedTables.map((table) => [table, largestId(db, idsOf(table)) ?? 0n]),
    ) as GuardIds;
    // Megatest may hand them out while they are copied: they are compared when the job ends.
    if (!(await session.read(() => areGuarded(session, highest))))
      await session.read(() => setRepairFlag(session));
    return;
  }
  const room = Object.fromEntries(identifiedTables.map((table) => [table, countOf(db, table)])) as GuardIds;
  const guards = await session.read(() => raiseGuards(session, room));
  context.failpoint("ids-reserved");
  for (const table of identifiedTables) {
    prepared<[string, bigint]>(
      db,
      `INSERT INTO temp.import_ids SELECT ?, id, ? + row_number() OVER (ORDER BY id) - 1 FROM ${idsOf(table)}`,
    ).run(table, guards[table] - room[table]);
  }
  context.log("Ids of the run are in use by now: it gets new ones.");
}

function countOf(db: Connection, table: IdentifiedTable): bigint {
  return preparedIds<[]>(db, `SELECT count(*) FROM ${idsOf(table)}`).get() ?? 0n;
}

/** SQL, a FROM clause: the ids of an export's rows, and of its tests that are only kept. */
const idsOf = (table: IdentifiedTable): string =>
  table === "tests" ? `(SELECT id FROM export.tests UNION ${keptTests("export")})` : `export.${table}`;

/** SQL: the ids of tests of which versions are kept. */
const keptTests = (part: "export" | "completed") =>
  `SELECT row_id AS id FROM ${part}.mtjobs_superseded WHERE table_name = 'tests' AND typeof(row_id) = 'integer'`;

/** Returns true if an id of the export is in use in a database of the area. */
async function isAnyTaken(session: JobSession): Promise<boolean> {
  const { db, sources } = session;
  for (const table of identifiedTables) {
    for await (const [from, to] of session.idRanges(idsOf(table), chunk)) {
      const others = [...sources, "completed"].map((part) => `${part}.${table}`);
      if (table === "tests") others.push(`(${keptTests("completed")})`);
      for (const other of others) {
        const found = prepared<[bigint, bigint], number>(
          db,
          `SELECT EXISTS (SELECT 1 FROM ${idsOf(table)} AS e CROSS JOIN ${other} AS x ON x.id = e.id
             WHERE e.id BETWEEN ? AND ?)`,
        ).pluck();
        if ((await session.read(() => found.get(from, to))) === 1) return true;
      }
    }
  }
  return false;
}

/** Returns true if a row of the area names the export's run or a test of it: left behind by a record that had the id. */
async function isAnyNamed(session: JobSession): Promise<boolean> {
  for (const [table, parent] of [
    ["runs", "run_id"],
    ["tests", "test_id"],
  ] as const) {
    const named = `(SELECT id FROM ${idsOf(table)} WHERE id BETWEEN ? AND ?)`;
    const children = session.records.filter((record) => record.parent === parent);
    const rows = session.sources.flatMap((part) =>
      children
        .filter((record) => record.columnsIn(part).length > 0)
        .map((record) => childrenOf(part, record, named, "x")),
    );
    for await (const range of session.idRanges(idsOf(table), chunk))
      for (const from of rows) if (await session.read(() => exists(session.db, from, range))) return true;
  }
  return false;
}

function exists(db: Connection, from: string, range: IdRange): boolean {
  const sql = `SELECT EXISTS (SELECT 1 FROM ${from})`;
  return (
    prepared<[bigint, bigint], number>(db, sql)
      .pluck()
      .get(...range) === 1
  );
}

/** SQL: the id that a row of an export gets. */
export const newIdOf = (table: IdentifiedTable, id: string): string =>
  `coalesce((SELECT i.new_id FROM temp.import_ids AS i WHERE i.table_name = ${quoteText(table)} AND i.old_id = ${id}), ${id})`;

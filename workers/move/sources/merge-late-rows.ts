import { type Connection, prepared } from "../../../shared/sqlite/connection.ts";
import { idList } from "../../../shared/sqlite/ids.ts";
import { withoutTriggers } from "../../../shared/sqlite/triggers.ts";
import type { Source } from "../../area-db/databases.ts";
import type { RecordPlan } from "../../records/record-tables.ts";
import { columnList, sameName } from "../../records/row-sql.ts";
import { clearTempTables, rowKey } from "../../records/temp-tables.ts";
import { recordChangedValues } from "../copy/affinity-check.ts";
import {
  blockMap,
  blockSources,
  copyArchiveBlocks,
  type RenamedBlocks,
  stageArchiveBlocks,
} from "../copy/archive-blocks.ts";
import { addsNothing, sameAsCopy } from "./compare-rows.ts";
import { keepChildVersions, keepVersion } from "./keep-aside.ts";
import type { SourceSession } from "./source-session.ts";

export interface MergedRows {
  superseded: number;
  /** Versions from the ref of rows that changed since the ref agreed with the cache. */
  unsynced: number;
  late: number;
}

/**
 * Merges rows of one table of a source into completed-runs.db before they are removed from the source. Missing rows
 * are added; of two versions the cache's wins, and the other is kept in `mtjobs_superseded`.
 *
 * The source is read into a temporary table first, so that no lock on it lasts while completed-runs.db commits.
 */
export function mergeLateRows(
  session: SourceSession,
  record: RecordPlan,
  ids: readonly bigint[],
): MergedRows {
  readRows(session, record, ids);
  const archives =
    record.table === "tests" &&
    record.columnsIn(session.part).includes("archived") &&
    stageArchiveBlocks(session.db, attachedBlockSources(session.db), "temp.incoming");
  return session.commitOnce("completed", () => {
    return withoutTriggers(session.db, "completed", () => {
      if (!record.synced) return mergeUnsynced(session, record);
      return mergeSynced(session, record, archives ? copyArchiveBlocks(session.db) : []);
    });
  });
}

/** A source writer has its own source attached, and the sources of archive blocks. */
function attachedBlockSources(db: Connection): Source[] {
  return blockSources((db.pragma("database_list") as { name: Source }[]).map(({ name }) => name));
}

function readRows({ db, part }: SourceSession, record: RecordPlan, ids: readonly bigint[]): void {
  const columns = columnList(record.columnsIn(part));
  db.exec(`DROP TABLE IF EXISTS temp.incoming; DROP TABLE IF EXISTS temp.replaced;
    CREATE TEMP TABLE incoming (${rowKey} INTEGER PRIMARY KEY, ${columns})`);
  db.prepare<[string]>(
    `INSERT INTO temp.incoming (${columns}) SELECT ${columns} FROM ${part}.${record.table}
     WHERE id IN (SELECT value FROM json_each(?))`,
  ).run(idList(ids));
  db.exec(`CREATE TEMP TABLE replaced AS SELECT * FROM completed.${record.table} WHERE 0`);
}

function mergeSynced(session: SourceSession, record: RecordPlan, renamedBlocks: RenamedBlocks): MergedRows {
  const { db, part, fresh } = session;
  const wins = part === fresh;
  let superseded = 0;
  let replaced = 0;
  if (wins) {
    // The freshest database: its version replaces the one in completed-runs.db.
    const rivals = `(${rivalRows(record, part)})`;
    if (record.table === "tests")
      superseded += keepChildVersions(session, `${rivals} AND test_id NOT IN (SELECT id FROM temp.incoming)`);
    superseded += keepVersion(
      session,
      record,
      `completed.${record.table}`,
      `x.id IN ${rivals}`,
      "replaced by a later version",
    );
    db.exec(`INSERT INTO temp.replaced SELECT * FROM completed.${record.table} WHERE id IN ${rivals}`);
    replaced = prepared(db, `DELETE FROM completed.${record.table} WHERE id IN ${rivals}`).run().changes;
  }
  const late = addIncoming(session, record, blockMap(renamedBlocks));
  restoreOwnColumns(session, record);
  recordChangedValues(db, record);
  superseded += keepVersion(session, record, "temp.incoming", isUnfit, doesNotFit);
  const isThere = `EXISTS (SELECT 1 FROM completed.${record.table} AS d WHERE d.id = x.id)`;
  const isKnown = `${sameAsCopy(record, record.carried(part, "completed"))} AND ${wins ? "1" : addsNothing(record, part)}`;
  const keepOlder = (which: string) =>
    keepVersion(
      session,
      record,
      "temp.incoming",
      `${which} AND NOT (${isUnfit}) AND NOT EXISTS (SELECT 1 FROM completed.${record.table} AS d WHERE d.id = x.id
       AND ${isKnown})`,
      "an older or divergent version",
    );
  const unsynced = part === "ref" ? keepOlder(isThere) : 0;
  superseded += keepOlder(part === "ref" ? `NOT ${isThere}` : "1");
  return { superseded, unsynced, late: Math.max(0, late - replaced) };
}

/** Adds the rows whose ids are free, tests with their block ids in completed-runs.db; returns how many. */
function addIncoming(session: SourceSession, record: RecordPlan, blocks: string): number {
  const { db, part } = session;
  const { table } = record;
  const columns = record.columnsIn(part);
  const renamed = "(SELECT value ->> 1 FROM json_each(:blocks) WHERE value ->> 0 = x.archived)";
  const values = columns.map((name) =>
    blocks !== "[]" && name === "archived" ? `coalesce(${renamed}, x.archived)` : columnList([name], "x"),
  );
  db.exec(`DROP TABLE IF EXISTS temp.free;
    CREATE TEMP TABLE free AS SELECT x.id FROM temp.incoming AS x
      WHERE NOT EXISTS (SELECT 1 FROM completed.${table} AS d WHERE d.id = x.id)`);
  const added = db
    .prepare(
      `INSERT OR IGNORE INTO completed.${table} (${columnList(columns)})
       SELECT ${values.join(", ")} FROM temp.incoming AS x WHERE ${mayJoin(session, record)}`,
    )
    .run({ blocks }).changes;
  if (table === "tests" && columns.includes("archived")) rememberBlocks(db, blocks);
  return added;
}

/** Records the former block ids of the tests just added. */
function rememberBlocks(db: Connection, blocks: string): void {
  db.exec("DELETE FROM completed.mtjobs_archived WHERE test_id IN (SELECT id FROM temp.free)");
  if (blocks === "[]") return;
  prepared<[string]>(
    db,
    `INSERT INTO completed.mtjobs_archived (test_id, original) SELECT x.id, x.archived FROM temp.incoming AS x
     WHERE x.id IN (SELECT id FROM temp.free WHERE id IN (SELECT id FROM completed.tests)) AND x.archived IN (SELECT value ->> 0 FROM json_each(?))`,
  ).run(blocks);
}

/** Restores columns that the source lacks: it cannot have changed them. Triggers are off. */
function restoreOwnColumns({ db, part }: SourceSession, record: RecordPlan): void {
  const here = new Set(record.columnsIn(part));
  const own = record.columnsIn("completed").filter((name) => !here.has(name));
  if (own.length === 0) return;
  const all = record.columnsIn("completed");
  const rows = `SELECT ${all.map((name) => columnList([name], here.has(name) ? "d" : "r")).join(", ")}
    FROM temp.replaced AS r CROSS JOIN completed.${record.table} AS d ON d.id = r.id`;
  db.exec(`DROP TABLE IF EXISTS temp.joined; CREATE TEMP TABLE joined AS ${rows};
    DELETE FROM completed.${record.table} WHERE id IN (SELECT id FROM temp.joined);
    INSERT INTO completed.${record.table} (${columnList(all)}) SELECT ${columnList(all)} FROM temp.joined`);
}

/** Notes which of the runs Megatest sees: the row of a run that is cut leaves with its first slice. */
export function noteSeenRuns({ db, part }: SourceSession, runs: readonly bigint[]): void {
  clearTempTables(db, "seen_runs");
  prepared<[string]>(
    db,
    `INSERT INTO temp.seen_runs SELECT r.id FROM json_each(?) AS j CROSS JOIN ${part}.runs AS r ON r.id = j.value`,
  ).run(idList(runs));
}

/**
 * SQL: ids of copies that an incoming row replaces, by id and by name, since a step reported again gets a new id. So
 * does a test that is started again; but a test of a run that Megatest does not see comes from a client that lost it.
 */
function rivalRows(record: RecordPlan, part: Source): string {
  const byId = `SELECT d.id FROM temp.incoming AS x CROSS JOIN completed.${record.table} AS d ON d.id = x.id`;
  if (record.parent === null) return byId;
  const seen = `x.run_id IN (SELECT id FROM temp.seen_runs) OR EXISTS (SELECT 1 FROM ${part}.runs AS r WHERE r.id = x.run_id)
    OR EXISTS (SELECT 1 FROM completed.mtjobs_runs AS m WHERE m.run_id = x.run_id AND m.state = 'restoring')`;
  return `${byId} UNION SELECT d.id FROM temp.incoming AS x
    CROSS JOIN completed.${record.table} AS d ON ${sameName("d", "x", record.naturalKey)}
    WHERE ${record.table === "tests" ? seen : "1"}`;
}

/**
 * Adds the rows, under new ids if theirs are taken. Rows whose test is not in completed-runs.db, and rows that do not
 * fit there, are kept in `mtjobs_superseded`.
 */
function mergeUnsynced(session: SourceSession, record: RecordPlan): MergedRows {
  const { db, part } = session;
  const { table } = record;
  const parented = mayJoin(session, record);
  recordChangedValues(db, record);
  // Rows that keep their ids come first: a new id could be one of them.
  const rows = prepared<[], [bigint, bigint]>(
    db,
    `SELECT x.${rowKey}, EXISTS (SELECT 1 FROM completed.${table} AS d WHERE d.id = x.id) AS taken
     FROM temp.incoming AS x WHERE ${parented} AND NOT (${isUnfit}) ORDER BY taken`,
  )
    .safeIntegers()
    .raw()
    .all();
  const insert = (columns: readonly string[]) =>
    prepared<[bigint]>(
      db,
      `INSERT OR IGNORE INTO completed.${table} (${columnList(columns)})
         SELECT ${columnList(columns)} FROM temp.incoming WHERE ${rowKey} = ?`,
    );
  const columns = record.columnsIn(part);
  const [whole, renumbered] = [insert(columns), insert(columns.filter((name) => name !== "id"))];
  let late = 0;
  for (const [row, taken] of rows) {
    const { changes } = (taken === 1n ? renumbered : whole).run(row);
    late += changes;
    if (changes === 0) prepared(db, "INSERT INTO temp.unfit VALUES (?)").run(row);
  }
  const superseded =
    keepVersion(session, record, "temp.incoming", `NOT (${parented})`, "an orphaned row") +
    keepVersion(session, record, "temp.incoming", `${parented} AND ${isUnfit}`, doesNotFit);
  return { superseded, unsynced: 0, late };
}

/**
 * SQL: the row `x` may become part of its run, since its parent is there. A row that only the ref has was deleted in
 * cache and megatest.db; it is kept in `mtjobs_superseded`, not restored.
 */
function mayJoin({ part }: SourceSession, { parent }: RecordPlan): string {
  if (part === "ref") return "0";
  if (parent === "test_id") return "EXISTS (SELECT 1 FROM completed.tests AS t WHERE t.id = x.test_id)";
  return parent === "run_id" ? "EXISTS (SELECT 1 FROM completed.runs AS r WHERE r.id = x.run_id)" : "1";
}

/** See `recordChangedValues`. */
const isUnfit = `x.${rowKey} IN (SELECT row FROM temp.unfit)`;

const doesNotFit = "completed-runs.db cannot hold it unchanged";

import { type Connection, prepared, quoteName, quoteText } from "../../../shared/sqlite/connection.ts";
import { hasTable } from "../../../shared/sqlite/table.ts";
import { closingPrefix } from "../../../shared/sqlite/triggers.ts";
import { assertFenceToken, readFence } from "../../area-db/fence.ts";
import { transact } from "../../area-db/transaction.ts";

// A pair on a former homehost is closed in place, by triggers that abort any change of a Megatest row, in every
// journal mode and for statements prepared earlier. It is not renamed or removed: a process that has it open would
// keep writing to a file that is never read.

export type PairPart = "cache" | "ref";

export interface ClosedMark {
  /** Key of the migration's row in megatest.db. */
  token: number;
  /** What `.homehost` holds, or will hold. */
  movedTo: string;
  /** Ms since 1970. */
  closedAt: number;
  /**
   * Schema version when closed. A writer must first drop a trigger or the table, which raises it. SQLite's backup
   * changes it in the copy: see `isUntouched`, `recordKnown`.
   */
  changeCounter: number;
}

export const closingMessage = (movedTo: string): string => `homehost moved to ${movedTo}`;

/** Returns the mark of a closed database; undefined if it is open. */
export function readClosed(db: Connection, part: PairPart): ClosedMark | undefined {
  if (!hasTable(db, part, "mtjobs_closed")) return undefined;
  return db
    .prepare<[], ClosedMark>(
      `SELECT token, moved_to AS movedTo, closed_at AS closedAt, change_counter AS changeCounter
       FROM ${part}.mtjobs_closed WHERE id = 1`,
    )
    .get();
}

/** Returns true if a closed database cannot have been written to since. */
export function isUntouched(db: Connection, part: PairPart): boolean {
  return readClosed(db, part)?.changeCounter === schemaVersion(db, part);
}

/**
 * Closes a database: no Megatest row changes after the commit. Call inside a transaction. May be repeated.
 *
 * @param known false for a divergent cache, which counts as touched until `recordKnown`
 */
export function closeDatabase(
  db: Connection,
  part: PairPart,
  mark: Omit<ClosedMark, "changeCounter">,
  { known = true } = {},
): void {
  if (readClosed(db, part)?.token === mark.token && isUntouched(db, part)) return;
  dropTriggers(db, part);
  db.exec(`CREATE TABLE IF NOT EXISTS ${part}.mtjobs_closed (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    token INTEGER NOT NULL,
    moved_to TEXT NOT NULL,
    closed_at INTEGER NOT NULL,
    change_counter INTEGER NOT NULL
  )`);
  createTriggers(db, part, mark.movedTo);
  db.prepare(
    `INSERT OR REPLACE INTO ${part}.mtjobs_closed (id, token, moved_to, closed_at, change_counter)
     VALUES (1, :token, :movedTo, :closedAt, :version)`,
  ).run({ ...mark, version: known ? schemaVersion(db, part) : unknownVersion });
}

const unknownVersion = -1;

/** Records that all rows of a closed database are known elsewhere. Call inside a transaction. */
export function recordKnown(db: Connection, part: PairPart): void {
  db.prepare(`UPDATE ${part}.mtjobs_closed SET change_counter = ?`).run(schemaVersion(db, part));
}

/** Reopens a closed database to writers. Call inside a transaction. */
export function reopenDatabase(db: Connection, part: PairPart): void {
  dropTriggers(db, part);
  db.exec(`DROP TABLE IF EXISTS ${part}.mtjobs_closed`);
}

/** Changes the home that a closed database names, in one transaction. */
export function setNamedHome(db: Connection, part: PairPart, home: string): void {
  transact(db, () => {
    assertFenceToken(db, part, readFence(db, part)?.token ?? 0, Date.now());
    if (readClosed(db, part) === undefined) return;
    const untouched = isUntouched(db, part);
    dropTriggers(db, part);
    createTriggers(db, part, home);
    db.prepare(`UPDATE ${part}.mtjobs_closed SET moved_to = ?`).run(home);
    if (untouched) recordKnown(db, part);
  });
}

/** Runs `body` with write access to a closed database. Call inside a transaction. */
export function writeClosed(db: Connection, part: PairPart, body: () => void): void {
  const mark = readClosed(db, part);
  if (mark === undefined) {
    body();
    return;
  }
  const untouched = isUntouched(db, part);
  dropTriggers(db, part);
  body();
  createTriggers(db, part, mark.movedTo);
  if (untouched) recordKnown(db, part);
}

function createTriggers(db: Connection, part: PairPart, movedTo: string): void {
  const message = closingMessage(movedTo);
  for (const table of megatestTables(db, part)) {
    for (const event of ["insert", "update", "delete"]) {
      db.exec(`CREATE TRIGGER ${part}.${quoteName(`${closingPrefix}${event}_${table}`)}
        BEFORE ${event.toUpperCase()} ON ${quoteName(table)}
        BEGIN SELECT RAISE(ABORT, ${quoteText(message)}); END`);
    }
  }
}

function dropTriggers(db: Connection, part: PairPart): void {
  const names = db
    .prepare<[number, string], string>(
      `SELECT name FROM ${part}.sqlite_schema WHERE type = 'trigger' AND substr(name, 1, ?) = ?`,
    )
    .pluck()
    .all(closingPrefix.length, closingPrefix);
  for (const name of names) db.exec(`DROP TRIGGER ${part}.${quoteName(name)}`);
}

function megatestTables(db: Connection, part: PairPart): string[] {
  return prepared<[string], string>(
    db,
    `SELECT name FROM pragma_table_list WHERE schema = ? AND type = 'table'
       AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE 'mtjobs\\_%' ESCAPE '\\'`,
  )
    .pluck()
    .all(part);
}

function schemaVersion(db: Connection, part: PairPart): number {
  return db.pragma(`${part}.schema_version`, { simple: true }) as number;
}

import { type Connection, type Part, prepared, quoteName } from "./connection.ts";

/** A trigger as SQLite keeps it: its text begins with its name and names no database. */
interface Trigger {
  name: string;
  sql: string;
}

/** Megatest's own kind: it fires on an UPDATE alone. What cannot be read so may fire on anything. */
const onUpdate =
  /^CREATE\s+TRIGGER\s+("([^"]|"")*"|\[[^\]]*\]|`([^`]|``)*`|'([^']|'')*'|[^\s"'`[]+)\s+((BEFORE|AFTER)\s+)?UPDATE\b/i;

/**
 * Runs `body`, which inserts and deletes rows of `part`, with no trigger to change what lands there. The
 * triggers are back before the commit. Call inside a transaction.
 */
export function withoutTriggers<T>(db: Connection, part: Part, body: () => T): T {
  return setAside(
    db,
    part,
    readTriggers(db, part).filter(({ sql }) => !onUpdate.test(sql)),
    body,
  );
}

/** The same for a `body` that also updates rows. */
export function withoutAnyTriggers<T>(db: Connection, part: Part, body: () => T): T {
  return setAside(db, part, readTriggers(db, part), body);
}

/**
 * The same for a `body` that does as Megatest's own sync does, whose triggers fire: without those that have a word in double
 * quotes. Megatest's have none, and our SQLite may not take it for the text that a site meant, and then no row could be written.
 */
export function withoutQuotingTriggers<T>(db: Connection, part: Part, body: () => T): T {
  return setAside(
    db,
    part,
    readTriggers(db, part).filter(({ sql }) => sql.includes('"')),
    body,
  );
}

/** All but ours, which close a database. */
function readTriggers(db: Connection, part: Part): Trigger[] {
  return prepared<[], Trigger>(
    db,
    `SELECT name, sql FROM ${part}.sqlite_schema
     WHERE type = 'trigger' AND name NOT LIKE 'mtjobs\\_%' ESCAPE '\\' ORDER BY rowid`,
  ).all();
}

function setAside<T>(db: Connection, part: Part, triggers: readonly Trigger[], body: () => T): T {
  for (const { name } of triggers) db.exec(`DROP TRIGGER ${part}.${quoteName(name)}`);
  const value = body();
  for (const { sql } of triggers) db.exec(sql.replace(/^CREATE\s+TRIGGER\s+/i, `$&${part}.`));
  return value;
}

import { type AttachedPart, type Connection, isConstraintError, prepared, quoteName } from "./connection.ts";
import { isNotUnderstood } from "./site-schema.ts";
import { hasTable } from "./table.ts";

/** `sql` begins with the name, without a database. */
interface Trigger {
  name: string;
  sql: string;
}

/** As Megatest's own. Others may fire on anything. */
const onUpdate =
  /^CREATE\s+TRIGGER\s+("([^"]|"")*"|\[[^\]]*\]|`([^`]|``)*`|'([^']|'')*'|[^\s"'`[]+)\s+((BEFORE|AFTER)\s+)?UPDATE\b/i;

/**
 * Runs `body`, which inserts and deletes rows, without triggers that would change them. Call inside a transaction.
 */
export function withoutTriggers<T>(db: Connection, part: AttachedPart, body: () => T): T {
  return setAside(
    db,
    part,
    readTriggers(db, part).filter(({ sql }) => !onUpdate.test(sql)),
    body,
  );
}

/** Runs a `body` that also updates rows. */
export function withoutAnyTriggers<T>(db: Connection, part: AttachedPart, body: () => T): T {
  return setAside(db, part, readTriggers(db, part), body);
}

/**
 * Runs a `body` that writes like Megatest's sync, with triggers. Disables those that may reject or ignore a change,
 * and those with a word in double quotes, which this SQLite may not read as text. If another one fails, `body` runs
 * again with only Megatest's triggers, so it must be safe to repeat.
 */
export function withSyncTriggers<T>(db: Connection, part: AttachedPart, body: () => T): T {
  const all = readTriggers(db, part);
  const doubtful = all.filter(({ sql }) => sql.includes('"') || mayForbid(sql));
  const others = all.filter((trigger) => !doubtful.includes(trigger) && !stampsUpdates(trigger));
  return setAside(db, part, doubtful, () => {
    if (others.length === 0) return body();
    db.exec("SAVEPOINT mtjobs_sync");
    try {
      const value = body();
      db.exec("RELEASE mtjobs_sync");
      return value;
    } catch (error) {
      // Not if that ended the transaction.
      if (!db.inTransaction || !(isConstraintError(error) || isNotUnderstood(error))) throw error;
      db.exec("ROLLBACK TO mtjobs_sync; RELEASE mtjobs_sync");
      return setAside(db, part, others, body);
    }
  });
}

/** Runs a `body` that sets `last_update` itself. */
export function withoutStampingTriggers<T>(db: Connection, part: AttachedPart, body: () => T): T {
  const stamping = readTriggers(db, part).filter(({ sql }) => /\blast_update\b/i.test(sql));
  return setAside(db, part, stamping, () => withSyncTriggers(db, part, body));
}

export function forbiddingTriggers(db: Connection, part: AttachedPart): string[] {
  return readTriggers(db, part)
    .filter(({ sql }) => mayForbid(sql))
    .map(({ name }) => name);
}

const mayForbid = (sql: string) => /\braise\s*\(/i.test(sql);

const stampsUpdates = ({ name, sql }: Trigger) => /^update_\w+_trigger$/i.test(name) && onUpdate.test(sql);

/** Of the triggers that close a database. */
export const closingPrefix = "mtjobs_closed_";

/** Reads the triggers except those that close the database. */
function readTriggers(db: Connection, part: AttachedPart): Trigger[] {
  const prefix = hasTable(db, part, "mtjobs_closed") ? closingPrefix : null;
  return prepared<{ prefix: string | null }, Trigger>(
    db,
    `SELECT name, sql FROM ${part}.sqlite_schema
     WHERE type = 'trigger' AND (:prefix IS NULL OR substr(name, 1, length(:prefix)) <> :prefix) ORDER BY rowid`,
  ).all({ prefix });
}

function setAside<T>(db: Connection, part: AttachedPart, triggers: readonly Trigger[], body: () => T): T {
  for (const { name } of triggers) db.exec(`DROP TRIGGER ${part}.${quoteName(name)}`);
  const value = body();
  for (const { sql } of triggers) db.exec(sql.replace(/^CREATE\s+TRIGGER\s+/i, `$&${part}.`));
  return value;
}

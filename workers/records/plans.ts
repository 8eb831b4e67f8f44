import { type Connection, type Part, prepared } from "../../shared/sqlite/connection.ts";
import { missingColumns } from "../../shared/sqlite/missing-columns.ts";
import type { DatabaseSession } from "../area-db/database-session.ts";
import { planRecords, type RecordPlan } from "./record-tables.ts";
import { createTempTables } from "./temp-tables.ts";

interface Planned {
  db: Connection;
  /** Databases whose schemas are watched. */
  sources: readonly Part[];
  keys: readonly string[];
}

/** Aborts the transaction: a table has changed since the plans were made, and values in a new column would be lost. */
export class SchemaChanged extends Error {}

/**
 * The plans of one connection, and the schema versions they were made from: a site may add and fill a column while a
 * job runs. Code that removes or overwrites rows checks the version under the lock.
 */
export class Plans {
  /** These objects stay the same; a renewal updates them. */
  readonly records: readonly RecordPlan[];
  readonly #of: Planned;
  #versions: Map<Part, number>;

  /** @param session adds columns to completed-runs.db first; without one it must have them */
  constructor(of: Planned, session?: DatabaseSession) {
    this.#of = of;
    const { versions, records } = this.#make(session);
    this.#versions = versions;
    this.records = records;
  }

  /** Returns true if no schema has changed since the plans were made; under a lock this holds until its end. */
  isCurrent(...parts: readonly Part[]): boolean {
    return parts.every((part) => schemaVersion(this.#of.db, part) === this.#versions.get(part));
  }

  /** @throws SchemaChanged */
  assertCurrent(part: Part): void {
    if (!this.isCurrent(part)) throw new SchemaChanged(`the schema of ${part} has changed`);
  }

  /** For `noteOwnChange`: call at the end of a transaction that may have dropped and created triggers. */
  versionOf(part: Part): number {
    return schemaVersion(this.#of.db, part);
  }

  /** Call after the commit of such a transaction, which checked that the plans were current. */
  noteOwnChange(part: Part, version: number): void {
    this.#versions.set(part, version);
  }

  /**
   * If a schema has changed, adds new columns to completed-runs.db and renews the plans. Call only between slices and
   * batches, since it recreates the stage. If it fails, the plans stay out of date.
   *
   * @returns whether a schema had changed
   */
  async renew(session: DatabaseSession): Promise<boolean> {
    if (await session.read(() => this.isCurrent(...this.#of.sources))) return false;
    await session.read(() => {
      const { versions, records } = this.#make(session);
      // Last, when nothing can fail any more: after a failure the next call must try again.
      const known = new Map(records.map((plan) => [plan.table, plan]));
      for (const record of this.records) Object.assign(record, known.get(record.table));
      this.#versions = versions;
    });
    return true;
  }

  #make(session: DatabaseSession | undefined): { versions: Map<Part, number>; records: RecordPlan[] } {
    const { db, sources, keys } = this.#of;
    // Read first, so that a change during the rest is noticed next time.
    const versions = new Map(sources.map((part) => [part, this.versionOf(part)]));
    if (session !== undefined) for (const part of sources) widen(session, part);
    const records = planRecords(db, [...sources, "completed"], keys);
    createTempTables(db, records);
    return { versions, records };
  }
}

/** Adds the columns that completed-runs.db lacks. */
function widen(session: DatabaseSession, part: Part): void {
  const { db } = session;
  if (!widenCompleted(db, part, () => false)) return;
  session.commitOnce("completed", () => widenCompleted(db, part, (sql) => void db.exec(sql)));
}

/**
 * Adds the columns of `part`'s tables that those of completed-runs.db, attached as `completed`, lack. Call inside its
 * transaction.
 *
 * @param run runs a statement
 * @returns whether any was missing
 */
function widenCompleted(db: Connection, part: string, run: (sql: string) => unknown): boolean {
  // The same text makes the same columns: most tables need no look at them.
  const names = db
    .prepare<[], string>(
      `SELECT c.name FROM completed.sqlite_schema AS c
         LEFT JOIN ${part}.sqlite_schema AS s ON s.type = 'table' AND s.name = c.name COLLATE NOCASE
       WHERE c.type = 'table' AND c.name NOT LIKE 'mtjobs\\_%' ESCAPE '\\' AND s.sql IS NOT c.sql`,
    )
    .pluck()
    .all();
  const statements = names.flatMap((name) =>
    missingColumns(name, { db, schema: part }, { db, schema: "completed" }),
  );
  for (const sql of statements) run(sql);
  return statements.length > 0;
}

function schemaVersion(db: Connection, part: Part): number {
  return prepared<[], number>(db, `PRAGMA ${part}.schema_version`).pluck().get() ?? 0;
}

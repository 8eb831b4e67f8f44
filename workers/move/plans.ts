import { type Connection, type Part, prepared } from "../../shared/sqlite/connection.ts";
import { proveToken } from "../fence.ts";
import { planRecords, type RecordPlan } from "./record-tables.ts";
import { createScratch } from "./scratch.ts";
import { outwaitBusy, transact } from "./transaction.ts";
import { widenCompleted } from "./widen.ts";

interface Planned {
  db: Connection;
  /** Databases whose schemas are watched. */
  sources: readonly Part[];
  keys: readonly string[];
}

/** Leaves the transaction: a table has changed since the plans were made, and what they do not know of would be lost. */
export class SchemaChanged extends Error {}

/**
 * The plans of one connection, and the schemas that they were made of: a site may add a column to a table, and fill it,
 * while a job is at work. Whoever removes or overwrites rows asks under the lock whether the schema still stands.
 */
export class Plans {
  /** The same objects all along: a renewal changes what they say. */
  readonly records: readonly RecordPlan[];
  readonly #of: Planned;
  #versions: Map<Part, number>;

  constructor(of: Planned) {
    this.#of = of;
    this.#versions = this.#readVersions();
    this.records = this.#read();
    createScratch(of.db, this.records);
  }

  /** True where nobody has changed a schema since the plans were made; asked under a lock it stays so until the lock goes. */
  isCurrent(...parts: readonly Part[]): boolean {
    return parts.every((part) => schemaVersion(this.#of.db, part) === this.#versions.get(part));
  }

  /** @throws SchemaChanged */
  assertCurrent(part: Part): void {
    if (!this.isCurrent(part)) throw new SchemaChanged(`the schema of ${part} has changed`);
  }

  /** For `noteOwnChange`: asked at the end of a transaction of ours that may have set triggers aside. */
  versionOf(part: Part): number {
    return schemaVersion(this.#of.db, part);
  }

  /** Call once such a transaction, which asked whether the plans are current, has committed. */
  noteOwnChange(part: Part, version: number): void {
    this.#versions.set(part, version);
  }

  /**
   * Where a schema has changed: adds columns that are new to completed-runs.db, and makes the plans anew. Between slices and
   * batches only, for the stage is made anew with them. Where that fails the plans stay out of date, and say so.
   *
   * @returns whether it had
   */
  async renew(token: number, signal: AbortSignal): Promise<boolean> {
    const { db, sources } = this.#of;
    if (await outwaitBusy(signal, () => this.isCurrent(...sources))) return false;
    await outwaitBusy(signal, () => {
      const versions = this.#readVersions();
      for (const part of sources) widen(db, part, token);
      const plans = this.#read();
      createScratch(db, plans);
      // Current only now that nothing can fail any more: who asks after a renewal that did fail must begin another.
      const known = new Map(plans.map((plan) => [plan.table, plan]));
      for (const record of this.records) Object.assign(record, known.get(record.table));
      this.#versions = versions;
    });
    return true;
  }

  /** First of all: what changes while the tables are read is seen by the next who asks. */
  #readVersions(): Map<Part, number> {
    return new Map(this.#of.sources.map((part) => [part, this.versionOf(part)]));
  }

  #read(): RecordPlan[] {
    const { db, sources, keys } = this.#of;
    return planRecords(db, [...sources, "completed"], keys);
  }
}

/** Adds what completed-runs.db lacks. */
export function widen(db: Connection, part: Part, token: number): void {
  if (!widenCompleted(db, part, () => false)) return;
  transact(db, () => {
    proveToken(db, "completed", token, Date.now());
    widenCompleted(db, part, (sql) => void db.exec(sql));
  });
}

function schemaVersion(db: Connection, part: Part): number {
  return prepared<[], number>(db, `PRAGMA ${part}.schema_version`).pluck().get() ?? 0;
}

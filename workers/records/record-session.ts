import type { Part } from "../../shared/sqlite/connection.ts";
import { DatabaseSession, type SessionOptions } from "../area-db/database-session.ts";
import type { Plans } from "./plans.ts";
import type { RecordPlan } from "./record-tables.ts";

/** A session that reads and writes rows of Megatest's record tables, by plans made of their schemas. */
export class RecordSession extends DatabaseSession {
  readonly plans: Plans;
  /** By database and table: up to which id `temp.children` has its rows. */
  readonly mappedTo = new Map<string, bigint>();

  constructor({ plans, ...session }: SessionOptions & { plans: Plans }) {
    super(session);
    this.plans = plans;
  }

  get records(): readonly RecordPlan[] {
    return this.plans.records;
  }

  /**
   * `commitOnce` of a transaction that writes rows by the plans and may set triggers aside.
   *
   * @throws SchemaChanged with nothing changed, if the schema of `part` is not the planned one
   */
  commitRows<T>(part: Part, body: () => T, beforeLock?: () => void): T {
    const planned = () => {
      this.plans.assertCurrent(part);
      return { value: body(), schema: this.plans.versionOf(part) };
    };
    const { value, schema } = this.commitOnce(part, planned, beforeLock);
    this.plans.noteOwnChange(part, schema);
    return value;
  }
}

export function planOf(session: Pick<RecordSession, "records">, table: RecordPlan["table"]): RecordPlan {
  const plan = session.records.find((record) => record.table === table);
  if (plan === undefined) throw new TypeError(`no table ${table}`);
  return plan;
}

/** Returns the plans of the tables with this parent, of those that Megatest syncs or of the others. */
export function plansBy(
  session: Pick<RecordSession, "records">,
  parent: RecordPlan["parent"],
  synced: boolean,
): readonly RecordPlan[] {
  return session.records.filter((record) => record.parent === parent && record.synced === synced);
}

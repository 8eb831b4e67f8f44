import { performance } from "node:perf_hooks";
import { setTimeout as sleep, setImmediate as yieldNow } from "node:timers/promises";
import {
  type Connection,
  isConstraintError,
  isTaken,
  prepared,
  quoteText,
} from "../../shared/sqlite/connection.ts";
import { largestId, smallestId } from "../../shared/sqlite/ids.ts";
import { columnList, sameName } from "../../shared/sqlite/row-sql.ts";
import { withoutTriggers } from "../../shared/sqlite/triggers.ts";
import { proveToken } from "../fence.ts";
import { mapChildren } from "./children.ts";
import { belowAllIds } from "./insert-stage.ts";
import { LargeTests } from "./large-tests.ts";
import { prepareSlice } from "./measure-commit.ts";
import type { RecordPlan } from "./record-tables.ts";
import { assertCopied } from "./slice-check.ts";
import { type RemoverOptions, readVersion } from "./slice-removal.ts";
import { enterSlice, gatherTests, type Slice, SliceCutter } from "./slices.ts";
import { stageFromCompleted } from "./stage-from-completed.ts";
import { outwaitBusy, transact } from "./transaction.ts";
import { findIncomplete } from "./whole.ts";

export interface Insertion {
  runs: readonly bigint[];
  /** What `last_update` becomes, seconds since 1970; undefined: it comes back as it was. */
  touchedAt?: number | undefined;
}

export interface InsertionReport {
  /** Runs that met a row of the same name or id; a part of them may be in already. */
  conflicting: bigint[];
  /** Runs that are not whole after all: somebody wrote to them, or the database changed a value. */
  incomplete: bigint[];
}

/** Leaves the transaction: the run's name stands under another id, or its id is taken. */
class NameTaken extends Error {}

/** Leaves the transaction: a column's declared type would make another value of what it gets. */
class ValueChanged extends Error {}

/** What is in the way of a slice. */
type Obstacle = "conflicting" | "incomplete";

/** Puts runs of completed-runs.db into one database, slice by slice, and sees that they are whole there. */
export class Inserter {
  readonly #options: RemoverOptions;

  constructor(options: RemoverOptions) {
    this.#options = options;
  }

  async insert({ runs, touchedAt }: Insertion): Promise<InsertionReport> {
    const { db, signal } = this.#options;
    await outwaitBusy(signal, () => assertCopied(db, runs));
    const cutter = await this.#cutterOf(runs);
    const report: InsertionReport = { conflicting: [], incomplete: [] };
    for (let slice = cutter.next(); slice !== undefined; slice = cutter.next()) {
      await prepareSlice(this.#options);
      const obstacle = await this.#insertSlice(slice, touchedAt);
      if (obstacle === undefined) continue;
      if (slice.runs.length === 1) {
        report[obstacle].push(...slice.runs);
        cutter.skipRest();
        continue;
      }
      // Which of them it is shows when each is tried alone.
      for (const run of slice.runs) {
        const own = await this.#insertSlice({ runs: [run] }, touchedAt);
        if (own !== undefined) report[own].push(run);
      }
    }
    const inserted = difference(runs, [...report.conflicting, ...report.incomplete]);
    report.incomplete.push(...(await this.findIncomplete({ runs: inserted, touchedAt })));
    return report;
  }

  /** Cuts the runs as completed-runs.db has them. */
  #cutterOf(runs: readonly bigint[]): Promise<SliceCutter> {
    const { db, pace, records, signal } = this.#options;
    return outwaitBusy(signal, () => {
      const counts = gatherTests(db, runs, ["completed"]);
      const tests = new LargeTests(db, "completed", records);
      return new SliceCutter(db, counts, () => pace.size, { tests, order: "parents-first" });
    });
  }

  /** Of `runs`, those that are not here row by row as completed-runs.db has them. */
  async findIncomplete({ runs, touchedAt }: Insertion): Promise<bigint[]> {
    const { db, part, pace, records, signal } = this.#options;
    const cutter = await this.#cutterOf(runs);
    const found = new Set<bigint>();
    for (let slice = cutter.next(); slice !== undefined; slice = cutter.next()) {
      const current = slice;
      const incomplete = await outwaitBusy(signal, () => {
        const tests = enterSlice(db, current);
        const started = performance.now();
        const ids = findIncomplete(db, part, records, { touched: touchedAt !== undefined });
        pace.hold(performance.now() - started);
        pace.settle(tests);
        return ids;
      });
      for (const run of incomplete ?? current.runs) found.add(run);
      await yieldNow();
    }
    return [...found];
  }

  /** One transaction. Returns what is in the way, having changed nothing. */
  async #insertSlice(slice: Slice, touchedAt: number | undefined): Promise<Obstacle | undefined> {
    const { db, part, fresh, plans, records, token, company, pace, signal, failpoint } = this.#options;
    const { tests, ends } = await outwaitBusy(signal, () => {
      const work = enterSlice(db, slice);
      stageFromCompleted(db, part, records, touchedAt);
      return { tests: work, ends: new Map(records.map(({ table }) => [table, endsOf(db, table)])) };
    });
    try {
      await outwaitBusy(signal, () => this.#commitStage(tests, ends, touchedAt));
    } catch (error) {
      if (error instanceof ValueChanged) return "incomplete";
      if (error instanceof NameTaken) return "conflicting";
      // A row that came since the ids were looked at is in the way, of the run itself or of another.
      if (isConstraintError(error)) return isTaken(error) ? "incomplete" : "conflicting";
      if (!(await plans.renew(token, signal))) throw error;
      await mapChildren(db, part, records, signal);
      return this.#insertSlice(slice, touchedAt);
    }
    failpoint(`inserted-in-${part}`);
    const gapMs = part === fresh ? company.gapAfter(pace.lastMs) : 0;
    await (gapMs > 0 ? sleep(gapMs) : yieldNow());
    return undefined;
  }

  /**
   * @param tests the work it is
   * @param ends ids in completed-runs.db by table, which no row that gets a new id may take */
  #commitStage(tests: number, ends: ReadonlyMap<string, Ends>, touchedAt: number | undefined): void {
    const { db, part, plans, records, token, company, pace, beforeCommit } = this.#options;
    beforeCommit();
    let lockedAt = 0;
    try {
      const schema = transact(db, () => {
        proveToken(db, part, token, Date.now());
        plans.assertCurrent(part);
        lockedAt = performance.now();
        company.note(readVersion(db, part));
        this.#refuseTakenName();
        withoutTriggers(db, part, () => {
          for (const record of records) this.#insertTable(record, ends.get(record.table) ?? noEnds);
        });
        // Committed, a changed value would pass for a client's, and be brought to the copy when the run is taken out again.
        const mixed = records.filter((record) => record.mixed.length > 0);
        if (findIncomplete(db, part, mixed, { touched: touchedAt !== undefined })?.length !== 0)
          throw new ValueChanged("a value would change");
        return plans.versionOf(part);
      });
      plans.noteOwnChange(part, schema);
    } finally {
      if (lockedAt > 0) {
        pace.hold(performance.now() - lockedAt);
        pace.settle(tests);
      }
    }
  }

  /** A table without the UNIQUE constraint would take two runs of one name; and an id is none of the rows that came late. */
  #refuseTakenName(): void {
    const { db, part, records } = this.#options;
    const runs = records.find(({ table }) => table === "runs");
    if (runs === undefined) return;
    const taken = prepared(
      db,
      `SELECT 1 FROM temp.stage_runs AS s CROSS JOIN ${part}.runs AS x
       ON ${sameName("x", "s", runs.naturalKey)} WHERE x.id <> s.id`,
    );
    const here = prepared(
      db,
      `SELECT 1 FROM temp.stage_runs AS s CROSS JOIN ${part}.runs AS x ON x.id = s.id`,
    );
    if (taken.get() !== undefined || here.get() !== undefined)
      throw new NameTaken("a run of that name or id is there");
  }

  #insertTable(record: RecordPlan, ends: Ends): void {
    const { db, part } = this.#options;
    const { table, parent, synced } = record;
    const columns = record.columnsIn(part);
    if (columns.length === 0) return;
    if (!synced) giveFreeIds(db, part, table, ends);
    const names = columnList(columns);
    prepared(
      db,
      `INSERT OR ABORT INTO ${part}.${table} (${names}) SELECT ${names} FROM temp.stage_${table}`,
    ).run();
    // Whoever removes them again must find them without a scan.
    if (parent !== null && !record.indexedIn(part)) {
      prepared(
        db,
        `INSERT OR IGNORE INTO temp.children SELECT ${quoteText(part)}, ${quoteText(table)}, ${parent}, id FROM temp.stage_${table}`,
      ).run();
    }
  }
}

/** Up to here there is room above for any number of rows. */
const roomBelow = 2n ** 62n;

/**
 * Ids of tables that never sync are each database's own: one that is taken here, or that was given up in
 * completed-runs.db, gives way to the next free one.
 */
function giveFreeIds(db: Connection, part: string, table: string, ends: Ends): void {
  const taken = `SELECT s.stage_row, row_number() OVER (ORDER BY s.stage_row) AS rank FROM temp.stage_${table} AS s
    WHERE s.id < ${belowAllIds} OR EXISTS (SELECT 1 FROM ${part}.${table} AS x WHERE x.id = s.id)`;
  const last = `max(:highest, coalesce((SELECT max(id) FROM ${part}.${table}), 0))`;
  // Below all others where there is no room above.
  const first = `min(:lowest, coalesce((SELECT min(id) FROM ${part}.${table}), 0))`;
  prepared(
    db,
    `UPDATE temp.stage_${table} AS s SET id = iif(${last} < ${roomBelow}, ${last} + t.rank, ${first} - t.rank) FROM (${taken}) AS t WHERE t.stage_row = s.stage_row`,
  ).run(ends);
}

/** The ids of a table in completed-runs.db lie between these; 0 without any. */
interface Ends {
  highest: bigint;
  lowest: bigint;
}

const noEnds: Ends = { highest: 0n, lowest: 0n };

function endsOf(db: Connection, table: string): Ends {
  const name = `completed.${table}`;
  return { highest: largestId(db, name) ?? 0n, lowest: smallestId(db, name) ?? 0n };
}

/** Those of `all` that are not among `some`. */
export function difference(all: readonly bigint[], some: readonly bigint[]): bigint[] {
  const out = new Set(some);
  return all.filter((one) => !out.has(one));
}

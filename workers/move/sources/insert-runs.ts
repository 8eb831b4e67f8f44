import { performance } from "node:perf_hooks";
import { setImmediate as yieldNow } from "node:timers/promises";
import {
  type Connection,
  isConstraintError,
  isTaken,
  prepared,
  quoteName,
  quoteText,
} from "../../../shared/sqlite/connection.ts";
import { largestId, smallestId } from "../../../shared/sqlite/ids.ts";
import { withoutTriggers } from "../../../shared/sqlite/triggers.ts";
import type { Source } from "../../area-db/databases.ts";
import { indexChildren } from "../../records/child-index.ts";
import type { RecordPlan } from "../../records/record-tables.ts";
import { columnList, sameName } from "../../records/row-sql.ts";
import { clearTempTables } from "../../records/temp-tables.ts";
import { originalBlock } from "../copy/archive-blocks.ts";
import { belowAllIds } from "../copy/insert-staged.ts";
import { LargeTests } from "../slices/large-tests.ts";
import { enterSlice, gatherTests, type Slice, SliceCutter } from "../slices/slices.ts";
import { assertCopied } from "./check-slice.ts";
import { copiesOfSlice, findIncomplete } from "./compare-restored.ts";
import { readVersion } from "./remove-slice.ts";
import type { SourceSession } from "./source-session.ts";

export interface Insertion {
  runs: readonly bigint[];
  /** New `last_update`, seconds since 1970; undefined keeps the old one. */
  touchedAt?: number | undefined;
}

export interface InsertionReport {
  /** Runs that met a row of the same name or id; a part of them may be inserted. */
  conflicting: bigint[];
  /** Runs that are not complete: a client wrote to them. */
  incomplete: bigint[];
  /** Runs with a row that the database does not take as it is. */
  rejected: RejectedRun[];
}

export interface RejectedRun {
  run: bigint;
  part: Source;
  /** What SQLite says, for people. */
  why: string;
}

/** Aborts the transaction: the run's name exists under another id, or its id is taken. */
class NameTaken extends Error {}

/** Aborts the transaction: a column's declared type would change a value. */
class ValueChanged extends Error {}

/** Why a slice cannot be inserted: a run's name or id is taken, or what SQLite says of a row. */
type Obstacle = "conflicting" | { why: string };

/** A row that came since the ids were read, of the run itself or of another. */
const inTheWay = ({ message }: Error) => `${message}: another row is in the way`;

/** Inserts runs of completed-runs.db into one database, slice by slice, and checks that they are complete there. */
export class Inserter {
  readonly #session: SourceSession;

  constructor(session: SourceSession) {
    this.#session = session;
  }

  async insert({ runs, touchedAt }: Insertion): Promise<InsertionReport> {
    const { db } = this.#session;
    await this.#session.read(() => assertCopied(db, runs));
    const cutter = await this.#cutterOf(runs);
    const report: InsertionReport = { conflicting: [], incomplete: [], rejected: [] };
    const note = (run: bigint, obstacle: Obstacle) => {
      if (obstacle === "conflicting") report.conflicting.push(run);
      else report.rejected.push({ run, part: this.#session.part, why: obstacle.why });
    };
    for (let slice = cutter.next(); slice !== undefined; slice = cutter.next()) {
      await this.#session.prepareSlice();
      const obstacle = await this.#insertSlice(slice, touchedAt);
      if (obstacle === undefined) continue;
      const [only, ...others] = slice.runs;
      if (only !== undefined && others.length === 0) {
        note(only, obstacle);
        cutter.skipRest();
        continue;
      }
      // Retry each run alone to find the one at fault.
      for (const run of slice.runs) {
        const own = await this.#insertSlice({ runs: [run] }, touchedAt);
        if (own !== undefined) note(run, own);
      }
    }
    const stopped = [...report.conflicting, ...report.rejected.map(({ run }) => run)];
    const inserted = difference(runs, stopped);
    report.incomplete.push(...(await this.findIncomplete({ runs: inserted, touchedAt })));
    return report;
  }

  /** Cuts the runs as completed-runs.db has them. */
  #cutterOf(runs: readonly bigint[]): Promise<SliceCutter> {
    const { db, batchSize, records } = this.#session;
    return this.#session.read(() => {
      const counts = gatherTests(db, runs, ["completed"]);
      const tests = new LargeTests(db, "completed", records);
      return new SliceCutter(db, counts, () => batchSize.size, { tests, order: "parents-first" });
    });
  }

  /** Returns those of `runs` that differ here from completed-runs.db in any row. */
  async findIncomplete({ runs, touchedAt }: Insertion): Promise<bigint[]> {
    const { db, part, batchSize, records } = this.#session;
    const cutter = await this.#cutterOf(runs);
    const found = new Set<bigint>();
    for (let slice = cutter.next(); slice !== undefined; slice = cutter.next()) {
      const current = slice;
      const incomplete = await this.#session.read(() => {
        const tests = enterSlice(db, current);
        const started = performance.now();
        const ids = findIncomplete(db, part, records, { touched: touchedAt !== undefined });
        batchSize.hold(performance.now() - started);
        batchSize.settle(tests);
        return ids;
      });
      for (const run of incomplete ?? current.runs) found.add(run);
      await yieldNow();
    }
    return [...found];
  }

  /** Inserts a slice in one transaction. Returns the obstacle, having changed nothing. */
  async #insertSlice(slice: Slice, touchedAt: number | undefined): Promise<Obstacle | undefined> {
    const { db, part, plans, records, failpoint } = this.#session;
    const { tests, ends } = await this.#session.read(() => {
      const work = enterSlice(db, slice);
      stageFromCompleted(db, part, records, touchedAt);
      return { tests: work, ends: new Map(records.map(({ table }) => [table, endsOf(db, table)])) };
    });
    await this.#session.passGap();
    try {
      await this.#session.read(() => this.#commitStage(tests, ends, touchedAt));
    } catch (error) {
      if (error instanceof NameTaken) return "conflicting";
      if (error instanceof ValueChanged) return { why: error.message };
      if (isConstraintError(error)) return { why: isTaken(error) ? inTheWay(error) : error.message };
      if (!(await plans.renew(this.#session))) throw error;
      await indexChildren(this.#session, part);
      return this.#insertSlice(slice, touchedAt);
    }
    failpoint(`inserted-in-${part}`);
    this.#session.beginGap();
    return undefined;
  }

  /**
   * @param tests work of the slice
   * @param ends range of ids in completed-runs.db by table, which new ids must avoid
   */
  #commitStage(tests: number, ends: ReadonlyMap<string, Ends>, touchedAt: number | undefined): void {
    const { db, part, records, gaps, batchSize } = this.#session;
    let lockedAt = 0;
    try {
      this.#session.commitRows(part, () => {
        lockedAt = performance.now();
        gaps.note(readVersion(db, part));
        this.#refuseTakenName();
        withoutTriggers(db, part, () => {
          for (const record of records) this.#insertTable(record, ends.get(record.table) ?? noEnds);
        });
        // A changed value, once committed, would pass for a client's and be merged when the run moves again.
        const mixed = records.filter((record) => record.mixed.length > 0);
        if (findIncomplete(db, part, mixed, { touched: touchedAt !== undefined })?.length !== 0)
          throw new ValueChanged("the declared type of a column would change a value");
      });
    } finally {
      if (lockedAt > 0) {
        batchSize.hold(performance.now() - lockedAt);
        batchSize.settle(tests);
      }
    }
  }

  /**
   * Checks names and ids, since a table without the UNIQUE constraint would accept two runs of one name, and an
   * existing id belongs to late rows.
   */
  #refuseTakenName(): void {
    const { db, part, records } = this.#session;
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
    const { db, part } = this.#session;
    const { table, parent, synced } = record;
    const columns = record.columnsIn(part);
    if (columns.length === 0) return;
    if (!synced) giveFreeIds(db, part, table, ends);
    const names = columnList(columns);
    prepared(
      db,
      `INSERT OR ABORT INTO ${part}.${table} (${names}) SELECT ${names} FROM temp.stage_${table}`,
    ).run();
    // A later removal must find them without a scan.
    if (parent !== null && !record.indexedIn(part)) {
      prepared(
        db,
        `INSERT OR IGNORE INTO temp.children SELECT ${quoteText(part)}, ${quoteText(table)}, ${parent}, id FROM temp.stage_${table}`,
      ).run();
    }
  }
}

/** Below this there is room above for any number of rows. */
const roomBelow = 2n ** 62n;

/** Gives new ids to rows of never-synced tables whose id is taken here, or was replaced in completed-runs.db. */
function giveFreeIds(db: Connection, part: string, table: string, ends: Ends): void {
  const taken = `SELECT s.mtjobs_row, row_number() OVER (ORDER BY s.mtjobs_row) AS rank FROM temp.stage_${table} AS s
    WHERE s.id < ${belowAllIds} OR EXISTS (SELECT 1 FROM ${part}.${table} AS x WHERE x.id = s.id)`;
  const last = `max(:highest, coalesce((SELECT max(id) FROM ${part}.${table}), 0))`;
  // Below all others if there is no room above.
  const first = `min(:lowest, coalesce((SELECT min(id) FROM ${part}.${table}), 0))`;
  prepared(
    db,
    `UPDATE temp.stage_${table} AS s SET id = iif(${last} < ${roomBelow}, ${last} + t.rank, ${first} - t.rank) FROM (${taken}) AS t WHERE t.mtjobs_row = s.mtjobs_row`,
  ).run(ends);
}

/** Range of a table's ids in completed-runs.db; 0 if it is empty. */
interface Ends {
  highest: bigint;
  lowest: bigint;
}

const noEnds: Ends = { highest: 0n, lowest: 0n };

function endsOf(db: Connection, table: string): Ends {
  const name = `completed.${table}`;
  return { highest: largestId(db, name) ?? 0n, lowest: smallestId(db, name) ?? 0n };
}

/** Returns those of `all` that are not in `some`. */
export function difference(all: readonly bigint[], some: readonly bigint[]): bigint[] {
  const out = new Set(some);
  return all.filter((one) => !out.has(one));
}

/**
 * Fills `temp.stage_<table>` with the slice's rows of completed-runs.db as `part` must have them: all columns that it
 * knows, and `tests.archived` with its id of the block.
 *
 * @param touchedAt new `last_update`, seconds since 1970; undefined keeps the old one
 */
function stageFromCompleted(
  db: Connection,
  part: Source,
  records: readonly RecordPlan[],
  touchedAt: number | undefined,
): void {
  clearTempTables(db, ...records.map(({ table }) => `stage_${table}`));
  for (const record of records) {
    const columns = record.columnsIn(part);
    if (columns.length === 0) continue;
    const values = columns.map((name) => valueIn(record, name, touchedAt)).join(", ");
    const row = record.synced ? "" : "mtjobs_row, ";
    prepared(
      db,
      `INSERT INTO temp.stage_${record.table} (${row}${columnList(columns)})
       SELECT ${record.synced ? "" : "d.id, "}${values} FROM ${copiesOfSlice(record)}`,
    ).run({ touchedAt });
  }
}

function valueIn({ table }: RecordPlan, name: string, touchedAt: number | undefined): string {
  if (name === "last_update" && touchedAt !== undefined) return ":touchedAt";
  return table === "tests" && name === "archived" ? originalBlock("d") : `d.${quoteName(name)}`;
}

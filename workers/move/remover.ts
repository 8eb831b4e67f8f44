import { performance } from "node:perf_hooks";
import { setTimeout as sleep, setImmediate as yieldNow } from "node:timers/promises";
import { JobsError } from "../../shared/errors.ts";
import type { JobStep } from "../../shared/job-steps.ts";
import { proveToken } from "../fence.ts";
import { type Connection, prepared } from "../sqlite/connection.ts";
import { absorb } from "./absorb.ts";
import { childrenOfSlice } from "./children.ts";
import { findMismatches } from "./mismatch.ts";
import type { Source } from "./move.ts";
import type { Pace } from "./pace.ts";
import type { RecordPlan } from "./record-tables.ts";
import { cutSlices, enterSlice, gatherTests, type Slice } from "./slices.ts";
import { outwaitBusy, transact } from "./transaction.ts";

/** What a remover needs; small enough to be rebuilt in a thread of its own. */
export interface RemoverOptions {
  part: Source;
  /** The part that holds the freshest data: there every column counts, elsewhere those the sync carries. */
  fresh: Source;
  /** Attached: the part and completed-runs.db. */
  db: Connection;
  records: readonly RecordPlan[];
  token: number;
  jobId: string;
  pace: Pace;
  signal: AbortSignal;
  /** Called right before each transaction, so that the cache is never older than megatest.db. */
  beforeCommit(): void;
  failpoint(step: JobStep): void;
}

export interface RemovalReport {
  /** Rows deleted, by table. */
  removed: Record<string, number>;
  /** Runs that were changed after they were copied, and of which nothing has been removed. */
  changed: number[];
  /** Versions kept because they were neither what was copied nor known. */
  superseded: number;
  /** Rows that completed-runs.db did not have yet. */
  late: number;
}

export interface Removal {
  runs: readonly number[];
  /**
   * true: a row that differs is kept (or brought to the copy) and then removed; false: the run it belongs to
   * is left alone and reported as changed. Once a run is cut, its rest is absorbed.
   */
  absorbing: boolean;
  /** `readVersion` before the runs were copied; while it stands, the rows are as they were read. */
  readAt?: number | undefined;
}

/** Changes whenever another connection has committed to the part, never for commits of this one. */
export function readVersion(db: Connection, part: Source): number {
  return db.pragma(`${part}.data_version`, { simple: true }) as number;
}

/**
 * Removes runs that completed-runs.db holds from one database. Every row is compared with its copy inside
 * the transaction that deletes it.
 */
export class Remover {
  readonly #options: RemoverOptions;
  #readAt: number | undefined;
  #lastVersion: number | undefined;

  constructor(options: RemoverOptions) {
    this.#options = options;
  }

  async remove({ runs, absorbing, readAt }: Removal): Promise<RemovalReport> {
    const { db, part, pace, signal } = this.#options;
    const report: RemovalReport = { removed: {}, changed: [], superseded: 0, late: 0 };
    const counts = await outwaitBusy(signal, () => gatherTests(db, runs, [part, "completed"]));
    const slices = cutSlices(counts, pace.size);
    for (let slice = slices.shift(); slice !== undefined; slice = slices.shift()) {
      this.#readAt = readAt;
      const force = absorbing || (slice.part !== undefined && slice.part.offset > 0);
      const changed = await this.#removeSlice(slice, force, report);
      report.changed.push(...changed);
      if (changed.length > 0) {
        const rest = slice.runs.filter((run) => !changed.includes(run));
        // A cut run that changed is left whole: none of its slices was removed yet.
        while (slice.part !== undefined && slices[0]?.runs[0] === slice.runs[0]) slices.shift();
        if (rest.length > 0) slices.unshift({ runs: rest });
      }
      await this.#letOthersIn();
    }
    return report;
  }

  /** Removes one slice; returns the runs that must be left alone, in which case nothing was removed. */
  async #removeSlice(slice: Slice, force: boolean, report: RemovalReport): Promise<number[]> {
    const { failpoint, part, signal } = this.#options;
    for (;;) {
      const mismatches = await outwaitBusy(signal, () => this.#tryRemove(slice, report));
      if (mismatches === undefined) {
        failpoint(`committed-in-${part}`);
        return [];
      }
      if (!force) return this.#runsOf(mismatches);
      await outwaitBusy(signal, () => {
        const kept = absorb(this.#options, mismatches);
        report.superseded += kept.superseded;
        report.late += kept.late;
        failpoint(`absorbed-from-${part}`);
      });
    }
  }

  /** One transaction: prove the token, compare, delete. Returns the mismatches, if any, having changed nothing. */
  #tryRemove(slice: Slice, report: RemovalReport): Map<RecordPlan, number[]> | undefined {
    const { db, part, records, token, pace, beforeCommit, failpoint, fresh } = this.#options;
    const tests = enterSlice(db, slice);
    beforeCommit();
    let lockedAt = 0;
    let mismatches: Map<RecordPlan, number[]> | undefined;
    const removed: [string, number][] = [];
    try {
      transact(db, () => {
        // First the lock that only our own copying can hold up, so that nobody waits on us meanwhile.
        prepared(db, "SELECT 1 FROM completed.mtjobs_fence").get();
        proveToken(db, part, token, Date.now());
        lockedAt = performance.now();
        assertCopied(db, slice.runs);
        // Nobody else has written since the rows were read: only what was not read by index can be news.
        const compared = this.#isUnchanged() ? records.filter(({ synced }) => !synced) : records;
        const found = findMismatches(db, part, compared, fresh);
        if (found.size > 0) {
          mismatches = found;
          throw new FoundMismatch();
        }
        for (const record of records.toReversed()) removed.push([record.table, this.#delete(record)]);
        failpoint(`deleted-in-${part}`);
      });
    } catch (error) {
      if (!(error instanceof FoundMismatch)) throw error;
    } finally {
      if (lockedAt > 0) {
        pace.hold(performance.now() - lockedAt);
        pace.settle(tests);
      }
    }
    if (mismatches === undefined) {
      for (const [table, count] of removed) report.removed[table] = (report.removed[table] ?? 0) + count;
    }
    return mismatches;
  }

  /**
   * Where others write too, they may be waiting: SQLite's waiters ask again after 1, 2, 5, 10, 15 ms…, so the
   * database is left alone for a while. Otherwise only this thread's messages get their turn.
   */
  async #letOthersIn(): Promise<void> {
    const { db, part, pace, signal } = this.#options;
    const version = await outwaitBusy(signal, () => readVersion(db, part));
    const shared = this.#lastVersion !== undefined && this.#lastVersion !== version;
    this.#lastVersion = version;
    if (shared) await sleep(Math.min(pace.lastMs / 2, 12));
    else await yieldNow();
  }

  /** SQLite's counter of commits by others; read under the lock, so that none can come between. */
  #isUnchanged(): boolean {
    return this.#readAt !== undefined && this.#readAt === readVersion(this.#options.db, this.#options.part);
  }

  #delete(record: RecordPlan): number {
    const { db, part } = this.#options;
    const { table, parent } = record;
    if (record.columnsIn(part).length === 0) return 0;
    const slice = parent === "test_id" ? "slice_tests" : "slice_runs";
    const where =
      table === "tests"
        ? "id IN (SELECT id FROM temp.slice_tests)"
        : parent === null
          ? "id IN (SELECT id FROM temp.slice_runs)"
          : record.indexedIn(part)
            ? `${parent} IN (SELECT id FROM temp.${slice})`
            : `id IN (SELECT x.id FROM ${childrenOfSlice(part, record, "x")})`;
    return prepared(db, `DELETE FROM ${part}.${table} WHERE ${where}`).run().changes;
  }

  #runsOf(mismatches: Map<RecordPlan, number[]>): number[] {
    const { db, part } = this.#options;
    const runs = new Set<number>();
    for (const [{ table, parent }, ids] of mismatches) {
      const owner =
        parent === null
          ? "x.id"
          : parent === "run_id"
            ? "x.run_id"
            : `coalesce((SELECT t.run_id FROM ${part}.tests AS t WHERE t.id = x.test_id),
                (SELECT t.run_id FROM completed.tests AS t WHERE t.id = x.test_id))`;
      const found = prepared<[string], number>(
        db,
        `SELECT DISTINCT ${owner} FROM ${part}.${table} AS x WHERE x.id IN (SELECT value FROM json_each(?))`,
      )
        .pluck()
        .all(JSON.stringify(ids));
      for (const run of found) runs.add(run);
    }
    return [...runs];
  }
}

/** The last line of defence: no row leaves a source unless its run's copy is complete and counts. */
function assertCopied(db: Connection, runs: readonly number[]): void {
  const missing = prepared<[string], number>(
    db,
    `SELECT value FROM json_each(?) WHERE value NOT IN
         (SELECT run_id FROM completed.mtjobs_runs WHERE state IN ('removing', 'moved'))`,
  )
    .pluck()
    .all(JSON.stringify(runs));
  if (missing.length > 0) {
    throw new JobsError(
      "internal",
      `runs ${missing.join(", ")} have no complete copy: nothing of them was removed`,
    );
  }
}

/** Leaves the transaction; never seen outside this file. */
class FoundMismatch extends Error {}

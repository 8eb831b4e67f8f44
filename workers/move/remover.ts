import { performance } from "node:perf_hooks";
import { setTimeout as sleep, setImmediate as yieldNow } from "node:timers/promises";
import type { JobStep } from "../../shared/job-steps.ts";
import { proveToken } from "../fence.ts";
import { type Connection, prepared } from "../sqlite/connection.ts";
import { absorb } from "./absorb.ts";
import { childrenOfSlice } from "./children.ts";
import { type Comparison, findMismatches } from "./mismatch.ts";
import type { Source } from "./move.ts";
import type { Pace } from "./pace.ts";
import type { RecordPlan } from "./record-tables.ts";
import { assertCopied, Blocked, lookAtTests, refuseMismatches } from "./slice-check.ts";
import { enterSlice, gatherTests, type Slice, SliceCutter } from "./slices.ts";
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
  /** Aborted: a run that is cut is left to the next job. */
  stop: AbortSignal;
  /** Called right before each transaction, so that the cache is never older than megatest.db. */
  beforeCommit(): void;
  failpoint(step: JobStep): void;
}

export interface RemovalReport {
  /** Rows deleted, by table. */
  removed: Record<string, number>;
  /** Runs that were changed after they were copied, and of which nothing has been removed. */
  changed: number[];
  /** Runs that came to life when a part of them had been removed: they are left as they are. */
  left: number[];
  /** Versions kept because they were neither what was copied nor known. */
  superseded: number;
  /** Rows that completed-runs.db did not have yet. */
  late: number;
}

/** How long our locks may add up to before the database is left alone for `gapMs`. */
const heldBetweenGapsMs = 60;
const gapMs = 26;

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
  #absorbing = false;
  #heldMs = 0;

  constructor(options: RemoverOptions) {
    this.#options = options;
  }

  async remove({ runs, absorbing, readAt }: Removal): Promise<RemovalReport> {
    const { db, part, pace, signal } = this.#options;
    const report: RemovalReport = { removed: {}, changed: [], left: [], superseded: 0, late: 0 };
    this.#readAt = readAt;
    this.#absorbing = absorbing;
    const counts = await outwaitBusy(signal, () => gatherTests(db, runs, [part, "completed"]));
    const cutter = new SliceCutter(db, counts, () => pace.size);
    for (let slice = cutter.next(); slice !== undefined; slice = cutter.next()) {
      if (slice.part?.first === true && !absorbing && (await this.#hasChanged(slice.runs))) {
        report.changed.push(...slice.runs);
        cutter.skipRest();
        continue;
      }
      const force = absorbing || slice.part?.first === false;
      const stay = await this.#removeSlice(slice, force, report);
      if (stay.length > 0) {
        cutter.skipRest();
        const { runs: tried } = slice;
        cutter.putBack(tried.filter((run) => !stay.includes(run)));
      }
      await this.#letOthersIn();
      // A large run may take minutes: the next job goes on with it.
      if (slice.part !== undefined) this.#options.stop.throwIfAborted();
    }
    return report;
  }

  /** A cut run is compared to its end before its first slice goes: from then on it cannot be left whole. */
  async #hasChanged(runs: readonly number[]): Promise<boolean> {
    const { db, records, pace, signal } = this.#options;
    const cutter = new SliceCutter(
      db,
      new Map(runs.map((run) => [run, Number.MAX_SAFE_INTEGER])),
      () => pace.size,
    );
    for (let slice = cutter.next(); slice !== undefined; slice = cutter.next()) {
      const current = slice;
      const found = await outwaitBusy(signal, () => {
        const tests = enterSlice(db, current);
        const started = performance.now();
        const mismatches = findMismatches(db, records, this.#comparison());
        pace.hold(performance.now() - started);
        pace.settle(tests);
        return mismatches;
      });
      if (found.size > 0) return true;
      await yieldNow();
    }
    return false;
  }

  #comparison(): Comparison {
    const { part, fresh, jobId } = this.#options;
    return { part, fresh, jobId, strict: !this.#absorbing };
  }

  /** Removes one slice; returns the runs that must stay as they are now, noted in the report. */
  async #removeSlice(slice: Slice, force: boolean, report: RemovalReport): Promise<readonly number[]> {
    const { failpoint, part, signal } = this.#options;
    for (;;) {
      const blocked = await outwaitBusy(signal, () => this.#tryRemove(slice, force, report));
      if (blocked === undefined) {
        failpoint(`committed-in-${part}`);
        return [];
      }
      if (!force) {
        report.changed.push(...blocked.runs);
        return blocked.runs;
      }
      if (!this.#absorbing && blocked.alive) {
        report.left.push(...slice.runs);
        return slice.runs;
      }
      for (const [record, ids] of blocked.mismatches) {
        const kept = await outwaitBusy(signal, () => absorb(this.#options, record, ids));
        report.superseded += kept.superseded;
        report.late += kept.late;
      }
      failpoint(`absorbed-from-${part}`);
    }
  }

  /** One transaction: prove the token, compare, delete. Returns what is in the way, having changed nothing. */
  #tryRemove(slice: Slice, force: boolean, report: RemovalReport): Blocked | undefined {
    const { db, part, records, token, pace, beforeCommit, failpoint } = this.#options;
    const tests = enterSlice(db, slice);
    beforeCommit();
    let lockedAt = 0;
    const removed: [string, number][] = [];
    try {
      transact(db, () => {
        // First the lock that only our own copying can hold up, so that nobody waits on us meanwhile.
        prepared(db, "SELECT 1 FROM completed.mtjobs_fence").get();
        proveToken(db, part, token, Date.now());
        lockedAt = performance.now();
        assertCopied(db, slice.runs);
        lookAtTests(db, part, slice, force);
        // Nobody else has written since the rows were read: only what was not read by index can be news.
        const compared = this.#isUnchanged() ? records.filter(({ synced }) => !synced) : records;
        refuseMismatches(db, part, findMismatches(db, compared, this.#comparison()), slice);
        for (const record of records.toReversed()) removed.push([record.table, this.#delete(record)]);
        failpoint(`deleted-in-${part}`);
      });
    } catch (error) {
      if (error instanceof Blocked) return error;
      throw error;
    } finally {
      if (lockedAt > 0) {
        pace.hold(performance.now() - lockedAt);
        pace.settle(tests);
      }
    }
    for (const [table, count] of removed) report.removed[table] = (report.removed[table] ?? 0) + count;
    return undefined;
  }

  /**
   * A writer that waits in SQLite asks again after 1, 2, 5, 10, 15, 20 and then every 25 ms, and holds nothing
   * meanwhile: only a gap longer than that is sure to let it in. Megatest's sync of the ref is in no hurry.
   */
  async #letOthersIn(): Promise<void> {
    const { part, pace } = this.#options;
    this.#heldMs += pace.lastMs;
    if (part === "ref" || this.#heldMs < heldBetweenGapsMs) {
      await yieldNow();
      return;
    }
    this.#heldMs = 0;
    await sleep(gapMs);
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
}

import { performance } from "node:perf_hooks";
import { setTimeout as sleep, setImmediate as yieldNow } from "node:timers/promises";
import { absorb } from "./absorb.ts";
import { mapChildren } from "./children.ts";
import { LargeTests } from "./large-tests.ts";
import { prepareSlice } from "./measure-commit.ts";
import { findMismatches } from "./mismatch.ts";
import { assertCopied } from "./slice-check.ts";
import { type RemoverOptions, SliceRemover } from "./slice-removal.ts";
import { enterSlice, gatherTests, type Slice, SliceCutter } from "./slices.ts";
import { outwaitBusy } from "./transaction.ts";

export interface RemovalReport {
  /** Rows deleted, by table. */
  removed: Record<string, number>;
  /** Runs that were changed after they were copied, and of which nothing has been removed. */
  changed: bigint[];
  /** Runs that came to life when a part of them had been removed: they are left as they are. */
  left: bigint[];
  /** Versions kept because they were neither what was copied nor known. */
  superseded: number;
  /** Versions kept besides, of rows that were only not synced yet. */
  unsynced: number;
  /** Rows that completed-runs.db did not have yet. */
  late: number;
  /** Runs with ids that mean other records in a database now; those stay where they are. */
  strangers: bigint[];
}

export interface Removal {
  runs: readonly bigint[];
  /**
   * true: a row that differs is kept (or brought to the copy) and then removed; false: the run it belongs to
   * is left alone and reported as changed. Once a run is cut, its rest is absorbed.
   */
  absorbing: boolean;
  /** `readVersion` before the runs were copied; while it stands, the rows are as they were read. */
  readAt?: number | undefined;
}

/** Removes runs that completed-runs.db holds from one database, slice by slice. */
export class Remover {
  readonly #options: RemoverOptions;
  readonly #slices: SliceRemover;
  #readAt: number | undefined;
  #absorbing = false;
  readonly #strangers = new Set<bigint>();

  constructor(options: RemoverOptions) {
    this.#options = options;
    this.#slices = new SliceRemover(options);
  }

  async remove({ runs, absorbing, readAt }: Removal): Promise<RemovalReport> {
    const { db, part, records, pace, signal } = this.#options;
    const report: RemovalReport = {
      removed: {},
      changed: [],
      left: [],
      superseded: 0,
      unsynced: 0,
      late: 0,
      strangers: [],
    };
    this.#readAt = readAt;
    this.#absorbing = absorbing;
    this.#strangers.clear();
    await outwaitBusy(signal, () => assertCopied(db, runs));
    const counts = await outwaitBusy(signal, () => gatherTests(db, runs, [part, "completed"]));
    const large = await outwaitBusy(signal, () => new LargeTests(db, part, records));
    const size = () => pace.size;
    const cutter = new SliceCutter(db, counts, size, { tests: large, order: "children-first" });
    for (let slice = cutter.next(); slice !== undefined; slice = cutter.next()) {
      await prepareSlice(this.#options);
      const stay = await this.#tryWithPlans(() => this.#removeUnlessChanged(slice, large, report));
      if (stay.length > 0) {
        cutter.skipRest();
        const { runs: tried } = slice;
        cutter.putBack(tried.filter((run) => !stay.includes(run)));
      }
      await this.#letOthersIn();
      // A large run may take minutes: the next job goes on with it.
      if (slice.part !== undefined) this.#options.stop.throwIfAborted();
    }
    report.strangers.push(...this.#strangers);
    return report;
  }

  /** Makes an attempt again, with new plans, where somebody has changed the schema meanwhile; what keeps them from being made is the error then. */
  async #tryWithPlans<T>(attempt: () => Promise<T>): Promise<T> {
    const { plans, token, part, records, db, signal } = this.#options;
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (!(await plans.renew(token, signal))) throw error;
        // What was copied was copied without what is new.
        this.#readAt = undefined;
        await mapChildren(db, part, records, signal);
      }
    }
  }

  /** Returns the runs that must stay as they are now, noted in the report. */
  async #removeUnlessChanged(
    slice: Slice,
    large: LargeTests,
    report: RemovalReport,
  ): Promise<readonly bigint[]> {
    if (slice.part?.first === true && !this.#absorbing && (await this.#hasChanged(slice.runs, large))) {
      report.changed.push(...slice.runs);
      return slice.runs;
    }
    return this.#removeSlice(slice, this.#absorbing || slice.part?.first === false, report);
  }

  /** A cut run is compared to its end before its first slice goes: from then on it cannot be left whole. */
  async #hasChanged(runs: readonly bigint[], large: LargeTests): Promise<boolean> {
    const { db, records, pace, signal } = this.#options;
    const cutter = new SliceCutter(
      db,
      new Map(runs.map((run) => [run, Number.MAX_SAFE_INTEGER])),
      () => pace.size,
      { tests: large, order: "parents-first" },
    );
    for (let slice = cutter.next(); slice !== undefined; slice = cutter.next()) {
      const current = slice;
      const found = await outwaitBusy(signal, () => {
        const tests = enterSlice(db, current);
        const started = performance.now();
        const mismatches = findMismatches(db, records, this.#slices.comparison(this.#absorbing));
        pace.hold(performance.now() - started);
        pace.settle(tests);
        return mismatches;
      });
      if (found.size > 0) return true;
      await yieldNow();
    }
    return false;
  }

  /** Removes one slice; returns the runs that must stay as they are now, noted in the report. */
  async #removeSlice(slice: Slice, force: boolean, report: RemovalReport): Promise<readonly bigint[]> {
    const { failpoint, part, signal } = this.#options;
    for (;;) {
      const blocked = await this.#slices.remove(slice, {
        force,
        absorbing: this.#absorbing,
        readAt: this.#readAt,
        removed: report.removed,
        strangers: this.#strangers,
      });
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
        report.unsynced += kept.unsynced;
        report.late += kept.late;
      }
      failpoint(`absorbed-from-${part}`);
    }
  }

  /** Gives other writers their turn. Clients write to the cache; in the other databases nobody waits who is in a hurry. */
  async #letOthersIn(): Promise<void> {
    const { part, fresh, pace, company } = this.#options;
    const gapMs = part === fresh ? company.gapAfter(pace.lastMs) : 0;
    await (gapMs > 0 ? sleep(gapMs) : yieldNow());
  }
}

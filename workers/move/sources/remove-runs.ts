import { performance } from "node:perf_hooks";
import { setImmediate as yieldNow } from "node:timers/promises";
import { JobsError } from "../../../shared/errors.ts";
import { idList, preparedIds } from "../../../shared/sqlite/ids.ts";
import { fileNames, type Source } from "../../area-db/databases.ts";
import { indexChildren } from "../../records/child-index.ts";
import { rowLiteral } from "../../records/row-sql.ts";
import { lastKept } from "../../records/superseded.ts";
import { gatherKeptTests } from "../ids/kept-tests.ts";
import { runsOfReusedIds } from "../ids/reused-ids.ts";
import { LargeTests } from "../slices/large-tests.ts";
import { enterSlice, gatherTests, type Slice, SliceCutter } from "../slices/slices.ts";
import { assertCopied, type Mismatches } from "./check-slice.ts";
import { findMismatches } from "./compare-rows.ts";
import { mergeLateRows, noteSeenRuns } from "./merge-late-rows.ts";
import { SliceRemover } from "./remove-slice.ts";
import type { SourceSession } from "./source-session.ts";

export interface RemovalReport {
  /** Rows deleted, by table. */
  removed: Record<string, number>;
  /** Runs that changed after they were copied, of which nothing has been removed. */
  changed: bigint[];
  /** Runs that became active when a part of them had been removed: they are left. */
  left: bigint[];
  /** Versions kept because they were neither copied nor known. */
  superseded: number;
  /** Versions kept of rows that were not yet synced. */
  unsynced: number;
  /** Rows that completed-runs.db did not have yet. */
  late: number;
  /** Runs with reused ids in a database; the new records stay. */
  reusedIds: bigint[];
}

export const emptyRemoval = (): RemovalReport => ({
  removed: {},
  changed: [],
  left: [],
  superseded: 0,
  unsynced: 0,
  late: 0,
  reusedIds: [],
});

export interface Removal {
  runs: readonly bigint[];
  /**
   * true: a row that differs is kept or merged into the copy, then removed; false: its run is left alone and reported
   * as changed, unless a part of it has been removed.
   */
  mergeChanged: boolean;
  /** Steps and data of tests that are only kept go, too: they came since the run moved. */
  withKeptTests?: boolean;
  /** The runs were restored and leave again: where clients write, what differs from the copy counts as written since. */
  restored?: boolean | undefined;
  /** `lastKept` before the runs were copied. Without it no version counts as left out by the copy. */
  keptSince?: bigint | undefined;
  /** `readVersion` before the runs were copied; while it is unchanged, so are the rows. */
  readAt?: number | undefined;
}

/** Times that merging may keep nothing, as when a client takes its change back meanwhile. */
const mostIdle = 10;

function unmergeable(part: Source, mismatches: Mismatches): JobsError {
  const tables = [...mismatches]
    .map(([{ table }, ids]) => `${table} ${ids.slice(0, 5).join(", ")}`)
    .join("; ");
  return new JobsError(
    "internal",
    `rows of ${fileNames[part]} can be neither merged nor removed: ${tables}`,
    {
      hint: "nothing of them was removed; report this, with the schema of these tables",
    },
  );
}

/** Removes runs that completed-runs.db holds from one database, slice by slice. */
export class Remover {
  readonly #session: SourceSession;
  readonly #slices: SliceRemover;
  #readAt: number | undefined;
  #mergeChanged = false;
  #keptSince: bigint | undefined;
  readonly #reusedIds = new Set<bigint>();
  /** Runs of which a slice was removed: from then on they cannot be left whole. */
  readonly #begun = new Set<bigint>();

  constructor(session: SourceSession) {
    this.#session = session;
    this.#slices = new SliceRemover(session);
  }

  async remove({
    runs,
    mergeChanged,
    withKeptTests = false,
    restored = false,
    keptSince,
    readAt,
  }: Removal): Promise<RemovalReport> {
    const { db, part, records, batchSize } = this.#session;
    const report = emptyRemoval();
    this.#readAt = readAt;
    this.#mergeChanged = mergeChanged;
    const knowsAll = mergeChanged && !restored;
    this.#keptSince = knowsAll ? undefined : (keptSince ?? (await this.#session.read(() => lastKept(db))));
    this.#reusedIds.clear();
    this.#begun.clear();
    await this.#session.read(() => {
      assertCopied(db, runs);
      noteSeenRuns(this.#session, mergeChanged ? runs : []);
    });
    const counts = await this.#session.read(() =>
      gatherTests(
        db,
        runs,
        [part, "completed"],
        withKeptTests ? () => gatherKeptTests(db, part, runs) : undefined,
      ),
    );
    const large = await this.#session.read(() => new LargeTests(db, part, records));
    const size = () => batchSize.size;
    const cutter = new SliceCutter(db, counts, size, { tests: large, order: "children-first" });
    for (let slice = cutter.next(); slice !== undefined; slice = cutter.next()) {
      await this.#session.prepareSlice();
      const stay = await this.#tryWithPlans(() => this.#removeUnlessChanged(slice, large, report));
      if (stay.length > 0) {
        cutter.skipRest();
        const { runs: tried } = slice;
        cutter.putBack(tried.filter((run) => !stay.includes(run)));
      }
      this.#session.beginGap();
      // A large run may take minutes: the next job continues it.
      if (slice.range !== undefined) this.#session.stop.throwIfAborted();
    }
    report.reusedIds.push(...this.#reusedIds);
    return report;
  }

  /** Repeats an attempt with new plans if the schema has changed; throws if they cannot be made. */
  async #tryWithPlans<T>(attempt: () => Promise<T>): Promise<T> {
    const { plans, part } = this.#session;
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (!(await plans.renew(this.#session))) throw error;
        // The copies lack the new columns.
        this.#readAt = undefined;
        await indexChildren(this.#session, part);
      }
    }
  }

  /** Removes a slice unless it has changed; returns the runs that must stay, recorded in the report. */
  async #removeUnlessChanged(
    slice: Slice,
    large: LargeTests,
    report: RemovalReport,
  ): Promise<readonly bigint[]> {
    if (slice.range?.first === true && !this.#mergeChanged && (await this.#hasChanged(slice.runs, large))) {
      report.changed.push(...slice.runs);
      return slice.runs;
    }
    const isBegun = slice.runs.some((run) => this.#begun.has(run));
    return this.#removeSlice(slice, this.#mergeChanged || isBegun, report);
  }

  /** Compares a cut run completely before its first slice is removed: after that it cannot be left whole. */
  async #hasChanged(runs: readonly bigint[], large: LargeTests): Promise<boolean> {
    const { db, records, batchSize } = this.#session;
    const cutter = new SliceCutter(
      db,
      new Map(runs.map((run) => [run, Number.MAX_SAFE_INTEGER])),
      () => batchSize.size,
      { tests: large, order: "parents-first" },
    );
    for (let slice = cutter.next(); slice !== undefined; slice = cutter.next()) {
      const current = slice;
      const found = await this.#session.read(() => {
        const tests = enterSlice(db, current);
        const started = performance.now();
        const mismatches = findMismatches(db, records, this.#slices.comparison(this.#keptSince));
        batchSize.hold(performance.now() - started);
        batchSize.settle(tests);
        return mismatches;
      });
      if (found.size > 0) return true;
      await yieldNow();
    }
    return false;
  }

  /**
   * A slice of some children of a test that completed-runs.db lacks: they can join it only after its own row. Not for a
   * test of another run that got the moved one's id.
   */
  #testsAlone(slice: Slice): Mismatches {
    const { db, part, records } = this.#session;
    const { rows } = slice;
    const tests = records.find(({ table }) => table === "tests");
    if (rows === undefined || !("table" in rows) || tests === undefined) return new Map();
    const runs = records.find(({ table }) => table === "runs");
    const reused = runs === undefined ? [] : runsOfReusedIds(db, part, runs, slice.runs);
    const ids = preparedIds<[string]>(
      db,
      `SELECT x.id FROM temp.slice_tests AS s CROSS JOIN ${part}.tests AS x ON x.id = s.id
       WHERE x.run_id NOT IN (SELECT value FROM json_each(?))
         AND NOT EXISTS (SELECT 1 FROM completed.tests AS t WHERE t.id = x.id) AND NOT EXISTS (
         SELECT 1 FROM completed.mtjobs_superseded AS p WHERE p.table_name = 'tests' AND p.row_id = x.id
           AND p.carried = ${rowLiteral("x", tests.carried(part, "completed"))})`,
    ).all(idList(reused));
    return ids.length === 0 ? new Map() : new Map([[tests, ids]]);
  }

  /** Removes one slice; returns the runs that must stay, recorded in the report. */
  async #removeSlice(slice: Slice, force: boolean, report: RemovalReport): Promise<readonly bigint[]> {
    const { failpoint, part } = this.#session;
    for (let idle = 0; ; ) {
      const blocked = await this.#slices.remove(slice, {
        force,
        keptSince: this.#keptSince,
        readAt: this.#readAt,
        removed: report.removed,
        reusedIds: this.#reusedIds,
      });
      if (blocked === undefined) {
        for (const run of slice.runs) this.#begun.add(run);
        failpoint(`committed-in-${part}`);
        return [];
      }
      if (!force) {
        report.changed.push(...blocked.runs);
        return blocked.runs;
      }
      if (!this.#mergeChanged && blocked.alive) {
        report.left.push(...slice.runs);
        return slice.runs;
      }
      let kept = 0;
      const before = await this.#session.read(() => this.#testsAlone(slice));
      for (const [record, ids] of [...before, ...blocked.mismatches]) {
        const { superseded, unsynced, late } = await this.#session.read(() =>
          mergeLateRows(this.#session, record, ids),
        );
        report.superseded += superseded;
        report.unsynced += unsynced;
        report.late += late;
        kept += superseded + unsynced + late;
      }
      idle = kept > 0 ? 0 : idle + 1;
      if (idle === mostIdle) throw unmergeable(part, blocked.mismatches);
      failpoint(`absorbed-from-${part}`);
    }
  }
}

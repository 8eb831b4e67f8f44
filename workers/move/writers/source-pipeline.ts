import type { Source } from "../../area-db/databases.ts";
import type { FailpointName } from "../../area-db/failpoint-names.ts";
import { difference, type Insertion, type InsertionReport } from "../sources/insert-runs.ts";
import { emptyRemoval, type RemovalReport } from "../sources/remove-runs.ts";
import type { SourceWorker } from "./source-client.ts";

/** By source; see `SourcePipeline.versions`. */
export type Versions = ReadonlyMap<Source, number>;

/**
 * The source writers of all sources, in the order of removal; started by the first call, since many jobs need none.
 * They work in the job's thread unless `useThreads` was called.
 */
export class SourcePipeline {
  readonly #start: (inThreads: boolean) => Promise<readonly SourceWorker[]>;
  readonly #beforeArea: () => Promise<void>;
  readonly #failpoint: (name: FailpointName) => void;
  #inThreads = false;
  #started: Promise<readonly SourceWorker[]> | undefined;

  /**
   * @param start starts a writer for each source, or none if it rejects
   * @param beforeArea awaited before each batch on megatest.db, which must be left alone at times
   */
  constructor(
    start: (inThreads: boolean) => Promise<readonly SourceWorker[]>,
    beforeArea: () => Promise<void>,
    failpoint: (name: FailpointName) => void,
  ) {
    this.#start = start;
    this.#beforeArea = beforeArea;
    this.#failpoint = failpoint;
  }

  #writers(): Promise<readonly SourceWorker[]> {
    this.#started ??= this.#start(this.#inThreads);
    return this.#started;
  }

  /** Has a thread work on each source from now on. Earlier `versions` are not valid any more. */
  async useThreads(): Promise<void> {
    if (this.#inThreads) return;
    await this.close();
    this.#inThreads = true;
    this.#started = undefined;
  }

  /**
   * Removes runs from every source, one after the other. The first is where clients write: a run that changed there
   * is left complete, unless `absorbing`. Several calls may run concurrently.
   *
   * @param options.keptSince `lastKept` before the runs were copied
   * @param options.readAt `versions` before the runs were copied; without it every row is compared
   * @param options.restored see `Removal`
   */
  async remove(
    runs: readonly bigint[],
    mergeChanged: boolean,
    { readAt, keptSince, restored }: { readAt?: Versions; keptSince?: bigint; restored?: boolean } = {},
  ): Promise<RemovalReport> {
    const total = emptyRemoval();
    let left = runs;
    for (const [index, writer] of (await this.#writers()).entries()) {
      if (left.length === 0) break;
      if (writer.part === "area") await this.#beforeArea();
      const report = await writer.remove({
        runs: left,
        mergeChanged: mergeChanged || index > 0,
        withKeptTests: mergeChanged,
        restored,
        keptSince,
        // The ref was not read completely for the copies.
        readAt: writer.part === "ref" ? undefined : readAt?.get(writer.part),
      });
      this.#failpoint(`removed-from-${writer.part}`);
      add(total, report);
      left = left.filter((run) => !report.changed.includes(run) && !report.left.includes(run));
    }
    return total;
  }

  /**
   * Inserts runs of completed-runs.db into every source, in reverse order. The source where clients write comes last:
   * a sync, which starts from the cache, finds nothing to carry, and clients write only to a complete run.
   */
  async insert(insertion: Insertion): Promise<InsertionReport> {
    const total: InsertionReport = { conflicting: [], incomplete: [], rejected: [] };
    let left = insertion.runs;
    for (const writer of (await this.#writers()).toReversed()) {
      if (left.length === 0) break;
      if (writer.part === "area") await this.#beforeArea();
      const { conflicting, incomplete, rejected } = await writer.insert({ ...insertion, runs: left });
      this.#failpoint(`brought-to-${writer.part}`);
      total.conflicting.push(...conflicting);
      total.incomplete.push(...incomplete);
      total.rejected.push(...rejected);
      left = difference(left, [...conflicting, ...incomplete, ...rejected.map(({ run }) => run)]);
    }
    return total;
  }

  /**
   * Returns those of `runs` that differ from completed-runs.db in any source and row.
   *
   * @param touchedAt as in `Insertion`
   */
  async findIncomplete({ runs, touchedAt }: Insertion): Promise<bigint[]> {
    const writers = await this.#writers();
    const found = await Promise.all(writers.map((writer) => writer.findIncomplete({ runs, touchedAt })));
    return [...new Set(found.flat())];
  }

  /** Maps the tables without an index again. */
  async refresh(): Promise<void> {
    await Promise.all((await this.#writers()).map((writer) => writer.refresh()));
  }

  /** Returns for each source a number that changes when another connection commits to it. */
  async versions(): Promise<Versions> {
    const writers = await this.#writers();
    return new Map(
      await Promise.all(writers.map(async (writer) => [writer.part, await writer.version()] as const)),
    );
  }

  async close(): Promise<void> {
    // A failed start was reported to its caller.
    const writers = await this.#started?.catch(() => []);
    await Promise.all((writers ?? []).map((writer) => writer.close()));
  }
}

function add(total: RemovalReport, report: RemovalReport): void {
  for (const [table, count] of Object.entries(report.removed)) {
    total.removed[table] = (total.removed[table] ?? 0) + count;
  }
  total.changed.push(...report.changed);
  total.left.push(...report.left);
  total.superseded += report.superseded;
  total.unsynced += report.unsynced;
  total.late += report.late;
  total.reusedIds.push(...report.reusedIds);
}

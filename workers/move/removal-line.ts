import type { JobStep } from "../../shared/job-steps.ts";
import { difference, type Insertion, type InsertionReport } from "./inserter.ts";
import type { Source } from "./move.ts";
import type { RemovalReport } from "./remover.ts";
import type { ThreadStation } from "./thread-station.ts";

/** By source; see `RemovalLine.versions`. */
export type Versions = ReadonlyMap<Source, number>;

/** The stations of all sources, in the order of removal; they are started by the first call, for many a job has no work for them. */
export class RemovalLine {
  readonly #start: () => Promise<readonly ThreadStation[]>;
  readonly #beforeArea: () => Promise<void>;
  readonly #failpoint: (step: JobStep) => void;
  #started: Promise<readonly ThreadStation[]> | undefined;

  /**
   * @param start starts a station for each source, or none where it rejects
   * @param beforeArea awaited before each batch goes to megatest.db, which must be left alone now and then
   */
  constructor(
    start: () => Promise<readonly ThreadStation[]>,
    beforeArea: () => Promise<void>,
    failpoint: (step: JobStep) => void,
  ) {
    this.#start = start;
    this.#beforeArea = beforeArea;
    this.#failpoint = failpoint;
  }

  #stations(): Promise<readonly ThreadStation[]> {
    this.#started ??= this.#start();
    return this.#started;
  }

  /**
   * Removes runs from every source, finishing one before the next. The first is where clients write: a run
   * that changed there is left whole, unless `absorbing`. Several calls may be under way at once.
   *
   * @param options.readAt `versions` before the runs were copied; without it every row is compared
   */
  async remove(
    runs: readonly bigint[],
    absorbing: boolean,
    { readAt }: { readAt?: Versions } = {},
  ): Promise<RemovalReport> {
    const total: RemovalReport = {
      removed: {},
      changed: [],
      left: [],
      superseded: 0,
      unsynced: 0,
      late: 0,
      strangers: [],
    };
    let left = runs;
    for (const [index, station] of (await this.#stations()).entries()) {
      if (left.length === 0) break;
      if (station.part === "area") await this.#beforeArea();
      const report = await station.remove({
        runs: left,
        absorbing: absorbing || index > 0,
        // The ref was not read whole when the runs were copied.
        readAt: station.part === "ref" ? undefined : readAt?.get(station.part),
      });
      this.#failpoint(`removed-from-${station.part}`);
      add(total, report);
      left = left.filter((run) => !report.changed.includes(run) && !report.left.includes(run));
    }
    return total;
  }

  /**
   * Puts runs of completed-runs.db into every source, the other way round: where clients write comes last, so that a
   * sync, which goes by the cache, finds nothing to carry, and a run is whole elsewhere before anybody can write to it.
   */
  async insert(insertion: Insertion): Promise<InsertionReport> {
    const total: InsertionReport = { conflicting: [], incomplete: [] };
    let left = insertion.runs;
    for (const station of (await this.#stations()).toReversed()) {
      if (left.length === 0) break;
      if (station.part === "area") await this.#beforeArea();
      const { conflicting, incomplete } = await station.insert({ ...insertion, runs: left });
      this.#failpoint(`brought-to-${station.part}`);
      total.conflicting.push(...conflicting);
      total.incomplete.push(...incomplete);
      left = difference(left, [...conflicting, ...incomplete]);
    }
    return total;
  }

  /**
   * Of `runs`, those that are not in every source row by row as completed-runs.db has them.
   *
   * @param touchedAt as in `Insertion`
   */
  async findIncomplete({ runs, touchedAt }: Insertion): Promise<bigint[]> {
    const stations = await this.#stations();
    const found = await Promise.all(stations.map((station) => station.findIncomplete({ runs, touchedAt })));
    return [...new Set(found.flat())];
  }

  /** Looks anew over the tables without an index. */
  async refresh(): Promise<void> {
    await Promise.all((await this.#stations()).map((station) => station.refresh()));
  }

  /** For each source a number that changes when somebody else commits to it. */
  async versions(): Promise<Versions> {
    const stations = await this.#stations();
    return new Map(
      await Promise.all(stations.map(async (station) => [station.part, await station.version()] as const)),
    );
  }

  async close(): Promise<void> {
    // Those that could not be started have told whoever asked for them.
    const stations = await this.#started?.catch(() => []);
    await Promise.all((stations ?? []).map((station) => station.close()));
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
  total.strangers.push(...report.strangers);
}

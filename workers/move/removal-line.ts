import type { JobStep } from "../../shared/job-steps.ts";
import { difference, type Insertion, type InsertionReport } from "./inserter.ts";
import type { Source } from "./move.ts";
import type { RemovalReport } from "./remover.ts";
import type { ThreadStation } from "./thread-station.ts";

/** By source; see `RemovalLine.versions`. */
export type Versions = ReadonlyMap<Source, number>;

/** The stations of all sources, in the order of removal. */
export class RemovalLine {
  readonly #stations: readonly ThreadStation[];
  readonly #beforeArea: () => Promise<void>;
  readonly #failpoint: (step: JobStep) => void;

  /** @param beforeArea awaited before each batch goes to megatest.db, which must be left alone now and then */
  constructor(
    stations: readonly ThreadStation[],
    beforeArea: () => Promise<void>,
    failpoint: (step: JobStep) => void,
  ) {
    this.#stations = stations;
    this.#beforeArea = beforeArea;
    this.#failpoint = failpoint;
  }

  /** Tests in a batch that fits everywhere. */
  get size(): number {
    return Math.min(...this.#stations.map(({ size }) => size));
  }

  /** Longest lock on any source so far, in ms. */
  get longestMs(): number {
    return Math.max(...this.#stations.map(({ longestMs }) => longestMs));
  }

  /**
   * Removes runs from every source, finishing one before the next. The first is where clients write: a run
   * that changed there is left whole, unless `absorbing`. Several calls may be under way at once.
   *
   * @param options.readAt `versions` before the runs were copied; without it every row is compared
   */
  async remove(
    runs: readonly number[],
    absorbing: boolean,
    { readAt }: { readAt?: Versions } = {},
  ): Promise<RemovalReport> {
    const total: RemovalReport = {
      removed: {},
      changed: [],
      left: [],
      superseded: 0,
      late: 0,
      strangers: [],
    };
    let left = runs;
    for (const [index, station] of this.#stations.entries()) {
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
    for (const station of this.#stations.toReversed()) {
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
  async findIncomplete({ runs, touchedAt }: Insertion): Promise<number[]> {
    const found = await Promise.all(
      this.#stations.map((station) => station.findIncomplete({ runs, touchedAt })),
    );
    return [...new Set(found.flat())];
  }

  /** Looks anew over the tables without an index. */
  async refresh(): Promise<void> {
    await Promise.all(this.#stations.map((station) => station.refresh()));
  }

  /** For each source a number that changes when somebody else commits to it. */
  async versions(): Promise<Versions> {
    return new Map(
      await Promise.all(
        this.#stations.map(async (station) => [station.part, await station.version()] as const),
      ),
    );
  }

  /** completed-runs.db is compacted by the thread of megatest.db, beside which it stands. */
  async vacuum(part: Source | "completed"): Promise<void> {
    const at = part === "completed" ? "area" : part;
    await this.#stations.find((station) => station.part === at)?.vacuum(part);
  }

  async close(): Promise<void> {
    await Promise.all(this.#stations.map((station) => station.close()));
  }
}

function add(total: RemovalReport, report: RemovalReport): void {
  for (const [table, count] of Object.entries(report.removed)) {
    total.removed[table] = (total.removed[table] ?? 0) + count;
  }
  total.changed.push(...report.changed);
  total.left.push(...report.left);
  total.superseded += report.superseded;
  total.late += report.late;
  total.strangers.push(...report.strangers);
}

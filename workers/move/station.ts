import { dirname } from "node:path";
import { syncDirectory } from "../../shared/area/sync-directory.ts";
import type { JobStep } from "../../shared/job-steps.ts";
import type { Connection } from "../../shared/sqlite/connection.ts";
import { CacheTimes, type CacheTimesSetup } from "./cache-times.ts";
import { mapChildren } from "./children.ts";
import { Company } from "./company.ts";
import { connect } from "./databases.ts";
import { Inserter, type Insertion, type InsertionReport } from "./inserter.ts";
import { measureCommit } from "./measure-commit.ts";
import type { Files, Source } from "./move.ts";
import { Pace } from "./pace.ts";
import { Plans, widen } from "./plans.ts";
import { type Removal, type RemovalReport, Remover } from "./remover.ts";
import { type RemoverOptions, readVersion } from "./slice-removal.ts";
import { outwaitBusy } from "./transaction.ts";

/** Configuration of a source writer; plain data, to be sent to a thread. */
export interface StationSetup {
  part: Source;
  fresh: Source;
  files: Files;
  keys: readonly string[];
  token: number;
  jobId: string;
  times: CacheTimesSetup;
  /** True if the database must be left alone at times, also within a run; the starting thread says when. */
  shared: boolean;
}

/** How often a source writer asks whether to leave its database alone, ms. */
const askEveryMs = 100;

/** What ends the work: `stop` at the next slice of a large run, `lost` immediately. */
export interface StationSignals {
  stop: AbortSignal;
  lost: AbortSignal;
}

export interface StationHooks {
  failpoint(step: JobStep): void;
  /** Resolves when the database may be written to. */
  enter(): Promise<void>;
}

/** Calls `enter` if the last call is some time ago. */
function nowAndThen(enter: () => Promise<void>): () => Promise<void> {
  let askedAt = performance.now();
  return async () => {
    if (performance.now() - askedAt < askEveryMs) return;
    await enter();
    askedAt = performance.now();
  };
}

/** Works on one source: removes runs from it, or inserts them. */
export class Station {
  readonly #setup: StationSetup;
  readonly #db: Connection;
  readonly #remover: Remover;
  readonly #inserter: Inserter;
  readonly #options: RemoverOptions;
  readonly #signal: AbortSignal;

  private constructor(
    setup: StationSetup,
    db: Connection,
    plans: Plans,
    { stop, lost }: StationSignals,
    { failpoint, enter }: StationHooks,
  ) {
    this.#setup = setup;
    this.#db = db;
    // Clients never use the ref; only a sync, which takes longer anyway, waits for a lock there.
    const pace = new Pace(setup.part, setup.part === "ref" ? 60 : undefined);
    this.#signal = lost;
    const times = new CacheTimes(setup.times);
    const options: RemoverOptions = {
      ...setup,
      db,
      plans,
      records: plans.records,
      pace,
      company: new Company(),
      signal: lost,
      stop,
      beforeSlice: setup.shared ? nowAndThen(enter) : async () => {},
      beforeCommit: setup.part === "area" ? () => times.renew() : () => {},
      failpoint,
    };
    this.#options = options;
    this.#remover = new Remover(options);
    this.#inserter = new Inserter(options);
  }

  /** Opens the databases and maps the tables without an index. */
  static async open(setup: StationSetup, signals: StationSignals, hooks: StationHooks): Promise<Station> {
    const { lost: signal } = signals;
    // The block of a late test may be in the other source.
    const others: readonly Source[] = setup.part === "ref" ? [] : ["cache", "area"];
    const parts = [...new Set([setup.part, ...others, "completed" as const])];
    const db = await outwaitBusy(signal, () => connect(setup.files, parts));
    try {
      const { part, keys } = setup;
      // No slice relies on another's commit, and with FULL each syncs the directory when it makes its journal: a sync
      // at the end of a batch is enough. Commits to completed-runs.db are durable immediately.
      db.pragma(`${part}.synchronous = FULL`);
      // A column that only the ref has is still missing in completed-runs.db.
      if (part === "ref") await outwaitBusy(signal, () => widen(db, part, setup.token));
      const plans = await outwaitBusy(signal, () => new Plans({ db, sources: [part], keys }));
      await mapChildren(db, part, plans.records, signal);
      const station = new Station(setup, db, plans, signals, hooks);
      for (let sample = 0; sample < 3; sample++) await measureCommit(station.#options);
      return station;
    } catch (error) {
      db.close();
      throw error;
    }
  }

  remove(removal: Removal): Promise<RemovalReport> {
    return this.#durably(this.#remover.remove(removal));
  }

  insert(insertion: Insertion): Promise<InsertionReport> {
    return this.#durably(this.#inserter.insert(insertion));
  }

  /** Makes finished work durable against a power cut; see `open`. */
  async #durably<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } finally {
      syncDirectory(dirname(this.#setup.files[this.#setup.part] ?? ""));
    }
  }

  /** See `Inserter`. */
  findIncomplete(runs: Insertion): Promise<bigint[]> {
    return this.#inserter.findIncomplete(runs);
  }

  /** Maps the tables without an index again: rows may have come since. */
  async refresh(): Promise<void> {
    const { plans, token } = this.#options;
    await plans.renew(token, this.#signal);
    await mapChildren(this.#db, this.#setup.part, plans.records, this.#signal);
  }

  /** See `readVersion`. */
  version(): Promise<number> {
    return outwaitBusy(this.#signal, () => readVersion(this.#db, this.#setup.part));
  }

  close(): void {
    this.#db.close();
  }
}

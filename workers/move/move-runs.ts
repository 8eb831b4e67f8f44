import type { ReducePayload } from "../../shared/contract/payload.ts";
import { prepared } from "../../shared/sqlite/connection.ts";
import { labelOf, type Run } from "../area-db/run.ts";
import { stopGraceMs } from "../area-db/transaction.ts";
import { lastKept } from "../records/superseded.ts";
import { commitStates, PendingStates } from "./copy/commit-copy.ts";
import { copyBatch, stageSize } from "./copy/copy-batch.ts";
import { discardCopies } from "./copy/discard-copies.ts";
import { guardAgain, guardNewest } from "./ids/id-guards.ts";
import type { LeasedSession } from "./leased-session.ts";
import { runRows } from "./run-accounting.ts";
import { countRemoval } from "./sources/count-removal.ts";
import type { Versions } from "./writers/source-pipeline.ts";

/** How often a run that keeps changing is copied. */
const maxCopies = 3;

/** Maximum batches under removal: one for each database, and one waiting for the first. */
const maxAhead = 4;

/** Batches grow up to this many tests: fewer commits mean less waiting between copies and removals. */
const largestBatch = 2 * stageSize;
const growth = 1.2;

/** Runs with complete copies; before they were read, the sources' versions and `lastKept`. */
interface CopiedBatch {
  runs: readonly Run[];
  readAt: Versions;
  keptSince: bigint;
}

const nothing: CopiedBatch = { runs: [], readAt: new Map(), keptSince: 0n };

const idsOf = ({ runs }: Pick<CopiedBatch, "runs">) => runs.map(({ id }) => id);

/**
 * Moves the chosen runs. Returns the versions of the sources before, to check with afterwards that nothing came back.
 *
 * @throws JobsError with what stopped it; the batches moved before are moved
 */
export async function moveRuns(
  session: LeasedSession,
  runs: readonly bigint[],
  payload: ReducePayload,
): Promise<Versions> {
  session.context.log(`Matching runs, to be checked for running tests: ${runs.length}.`);
  await guardNewest(session, runs);
  await session.fitPipeline(runs, session.fresh);
  // Without runs there is nothing to compare.
  const versions = runs.length === 0 ? new Map() : await session.pipeline.versions();
  await new RunMover(session, runs, payload).run();
  session.context.failpoint("moved");
  return versions;
}

/**
 * Moves the chosen runs, batch by batch: copies and verifies whole runs, then removes them from cache, ref and
 * megatest.db. The next batch is copied while one is removed.
 */
class RunMover {
  #session: LeasedSession;
  readonly #payload: ReducePayload;
  readonly #pending = new PendingStates();
  readonly #ahead = new Set<Promise<void>>();
  readonly #copies = new Map<bigint, number>();
  #waiting: bigint[];
  /** Tests in the next batch. */
  #size = stageSize;
  #total: number;
  #failure: unknown;
  #askedVersions: Promise<Versions> | undefined;

  constructor(session: LeasedSession, runs: readonly bigint[], payload: ReducePayload) {
    this.#session = session;
    this.#payload = payload;
    this.#waiting = [...runs];
    this.#total = runs.length;
  }

  /** Moves until nothing is left or the signal is aborted; the current batches are finished in either case. */
  async run(): Promise<void> {
    const { signal } = this.#session.context;
    let verified = nothing;
    try {
      while (this.#failure === undefined && !signal.aborted) {
        this.#endIfTimeIsUp();
        if (this.#waiting.length === 0 && verified.runs.length === 0) {
          if (this.#ahead.size === 0) break;
          await Promise.race(this.#ahead);
          continue;
        }
        // The commit of the next copy also sets the state of this one.
        this.#pending.set(idsOf(verified), "removing");
        const next = await this.#copyNext().catch((error: unknown) => {
          // The next job discards an incomplete copy; complete ones are still removed below.
          if (!signal.aborted) throw error;
        });
        if (next === undefined) break;
        await this.#handOn(verified);
        verified = next;
      }
      await this.#finish(verified);
    } finally {
      await Promise.allSettled(this.#ahead);
    }
    if (this.#failure !== undefined) throw this.#failure;
    signal.throwIfAborted();
  }

  /** Leaves the waiting runs to the next job once the time is up. */
  #endIfTimeIsUp(): void {
    const left = this.#waiting.length;
    if (left === 0 || !this.#session.endEarly(left)) return;
    this.#waiting = [];
  }

  async #copyNext(): Promise<CopiedBatch> {
    const { context, tally } = this.#session;
    const batch = await this.#takeBatch();
    context.progress({
      phase: "moving",
      runs: { done: tally.moved.runs, total: this.#total },
      rows: { done: tally.rowsDone },
    });
    if (batch.length === 0) return nothing;
    for (const run of batch) this.#copies.set(run, (this.#copies.get(run) ?? 0) + 1);
    const readAt = await this.#versions();
    // From here on a change of schema also changes the version, and then rows are compared before removal.
    await this.#session.plans.renew(this.#session);
    const keptSince = await this.#session.read(() => lastKept(this.#session.db));
    const runs = await copyBatch(this.#session, batch, this.#payload, this.#pending, this.#size);
    this.#size = Math.min(this.#size * growth, largestBatch);
    return { runs, readAt, keptSince };
  }

  /**
   * Returns the sources' versions at a time before the next copy reads them. Source writers answer between two
   * slices, so they are asked during the previous copy; an older version only causes more comparing.
   */
  async #versions(): Promise<Versions> {
    const versions = await (this.#askedVersions ?? this.#session.pipeline.versions());
    this.#askedVersions = this.#session.pipeline.versions();
    // If the job ends before the next copy, the answer is not awaited.
    this.#askedVersions.catch(() => {});
    return versions;
  }

  /** Takes runs up to the batch size, at least one. */
  async #takeBatch(): Promise<bigint[]> {
    const { db, fresh } = this.#session;
    const size = this.#size;
    const count = () =>
      prepared<[bigint], number>(db, `SELECT count(*) FROM ${fresh}.tests WHERE run_id = ?`).pluck();
    const batch: bigint[] = [];
    let tests = 0;
    while (this.#waiting.length > 0 && tests < size) {
      const run = this.#waiting[0] as bigint;
      const more = await this.#session.read(() => count().get(run) ?? 0);
      if (batch.length > 0 && tests + more > size * 1.25) break;
      batch.push(run);
      this.#waiting.shift();
      tests += Math.max(more, 1);
    }
    return batch;
  }

  /** Commits the states, makes sure that ids are guarded, and starts the removal. */
  async #handOn(batch: CopiedBatch): Promise<void> {
    if (batch.runs.length === 0) return;
    const session = this.#session;
    await this.#session.read(() => commitStates(session, this.#pending));
    await guardAgain(session);
    session.context.failpoint("removing");
    while (this.#ahead.size >= maxAhead) await Promise.race(this.#ahead);
    const removal: Promise<void> = this.#remove(batch)
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => this.#ahead.delete(removal));
    this.#ahead.add(removal);
  }

  async #remove({ runs, readAt, keptSince }: CopiedBatch): Promise<void> {
    const session = this.#session;
    const { tally } = session;
    const report = await this.#session.pipeline.remove(idsOf({ runs }), false, { readAt, keptSince });
    await countRemoval(session, report);
    const changed = new Set(report.changed);
    const left = runs.filter(({ id }) => report.left.includes(id));
    for (const run of left) {
      tally.skip(labelOf(run), "in-flight");
      tally.warn(
        `run ${run.id} (${run.target}/${run.runname}) became active while being moved; a later job will finish moving it`,
      );
    }
    const moved = runs.filter(({ id }) => !changed.has(id) && !report.left.includes(id));
    const rows = await this.#session.read(() => runRows(session, idsOf({ runs: moved })));
    for (const [table, count] of rows) tally.moved[table] += count;
    for (const run of moved) tally.movedRun(run);
    tally.rowsDone += Object.values(report.removed).reduce((sum, count) => sum + count, 0);
    this.#pending.set(
      moved.map(({ id }) => id),
      "moved",
    );
    if (changed.size > 0) await this.#copyAgain(runs.filter(({ id }) => changed.has(id)));
  }

  /** Discards the copies of runs that changed since, of which nothing was removed, and copies them again. */
  async #copyAgain(runs: readonly Run[]): Promise<void> {
    const session = this.#session;
    await discardCopies(
      session,
      runs.map(({ id }) => id),
    );
    for (const run of runs) {
      if ((this.#copies.get(run.id) ?? 0) < maxCopies) this.#waiting.push(run.id);
      else session.tally.skip(labelOf(run), "changed");
    }
  }

  /** Removes the last copies and writes the last states. */
  async #finish(verified: CopiedBatch): Promise<void> {
    const { signal } = this.#session;
    const lost = signal.aborted && (signal.reason as { code?: string }).code === "lost-lease";
    if (this.#failure !== undefined || lost) return;
    // Current batches are finished even if the job must stop.
    const grace = new AbortController();
    if (signal.aborted) setTimeout(() => grace.abort(signal.reason), stopGraceMs).unref();
    const session = this.#session.under(grace.signal);
    this.#session = session;
    this.#pending.set(idsOf(verified), "removing");
    await session.read(() => commitStates(session, this.#pending));
    await this.#handOn(verified);
    await Promise.all(this.#ahead);
    await session.read(() => commitStates(session, this.#pending));
  }
}

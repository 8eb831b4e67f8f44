import type { ReducePayload } from "../../shared/queue/payload.ts";
import { prepared } from "../../shared/sqlite/connection.ts";
import { commitStates, PendingStates } from "./copy.ts";
import { copyBatch, stageSize } from "./copy-batch.ts";
import { countRemoval } from "./count-removal.ts";
import { discardCopies } from "./discard.ts";
import { endEarly } from "./end-early.ts";
import { guardAgain } from "./id-guards.ts";
import type { Move } from "./move.ts";
import type { RemovalLine, Versions } from "./removal-line.ts";
import { labelOf, type Run } from "./run.ts";
import { runRows } from "./run-rows.ts";
import { outwaitBusy, stopGraceMs } from "./transaction.ts";

/** A run that keeps changing is copied this often before it is left alone. */
const maxCopies = 3;

/** Batches handed on for removal and not done with: one for each database, and one that waits for the first. */
const maxAhead = 4;

/** Batches grow up to so many tests: the fewer commits, the less the removals wait for them, and they for the removals. */
const largestBatch = 2 * stageSize;
const growth = 1.2;

/** Runs whose copies are complete, and what the sources' versions were before they were read. */
interface CopiedBatch {
  runs: readonly Run[];
  readAt: Versions;
}

const nothing: CopiedBatch = { runs: [], readAt: new Map() };

const idsOf = ({ runs }: Pick<CopiedBatch, "runs">) => runs.map(({ id }) => id);

/**
 * Moves the runs chosen, batch by batch: copy whole and verify, then remove from cache, ref and
 * megatest.db. While one batch is removed the next is copied.
 */
export class RunMover {
  #move: Move;
  readonly #line: RemovalLine;
  readonly #payload: ReducePayload;
  readonly #beforeCommit: () => void;
  readonly #pending = new PendingStates();
  readonly #ahead = new Set<Promise<void>>();
  readonly #copies = new Map<bigint, number>();
  #waiting: bigint[];
  /** Tests in the next batch. */
  #size = stageSize;
  #total: number;
  #failure: unknown;
  #askedVersions: Promise<Versions> | undefined;

  constructor(
    move: Move,
    line: RemovalLine,
    options: { runs: readonly bigint[]; payload: ReducePayload; beforeCommit: () => void },
  ) {
    this.#move = move;
    this.#line = line;
    this.#payload = options.payload;
    this.#beforeCommit = options.beforeCommit;
    this.#waiting = [...options.runs];
    this.#total = options.runs.length;
  }

  /** Moves until nothing is left or the signal says stop; what is in hand is finished in either case. */
  async run(): Promise<void> {
    const { signal } = this.#move.context;
    let verified = nothing;
    try {
      while (this.#failure === undefined && !signal.aborted) {
        this.#heedTime();
        if (this.#waiting.length === 0 && verified.runs.length === 0) {
          if (this.#ahead.size === 0) break;
          await Promise.race(this.#ahead);
          continue;
        }
        // The commit that carries the next copy also says that this one counts.
        this.#pending.set(idsOf(verified), "removing");
        const next = await this.#copyNext().catch((error: unknown) => {
          // What was being copied is taken back by the next job; what is copied is still removed below.
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

  /** What waits is left to the next job once the time is up; what is in hand is finished. */
  #heedTime(): void {
    const left = this.#waiting.length;
    if (left === 0 || !endEarly(this.#move, left)) return;
    this.#waiting = [];
  }

  async #copyNext(): Promise<CopiedBatch> {
    const { context, tally } = this.#move;
    const batch = await this.#takeBatch();
    context.progress({
      phase: "moving",
      runs: { done: tally.moved.runs, total: this.#total },
      rows: { done: tally.rowsDone },
    });
    if (batch.length === 0) return nothing;
    for (const run of batch) this.#copies.set(run, (this.#copies.get(run) ?? 0) + 1);
    const readAt = await this.#versions();
    // From here on whoever changes a schema changes the version too, and the rows are compared before they go.
    await this.#move.plans.renew(this.#move.token, context.signal);
    const runs = await copyBatch(this.#move, batch, this.#payload, this.#pending, this.#size);
    this.#size = Math.min(this.#size * growth, largestBatch);
    return { runs, readAt };
  }

  /**
   * The sources' versions at a moment before the next copy reads them. Stations answer between two slices, so
   * the question is put while the copy before is made: an older version only means that more is compared.
   */
  async #versions(): Promise<Versions> {
    const versions = await (this.#askedVersions ?? this.#line.versions());
    this.#askedVersions = this.#line.versions();
    // Where the job ends before the next copy nobody waits for it.
    this.#askedVersions.catch(() => {});
    return versions;
  }

  /** As many runs as make a batch of the size that locks allow; at least one. */
  async #takeBatch(): Promise<bigint[]> {
    const { db, fresh, context } = this.#move;
    const size = this.#size;
    const count = () =>
      prepared<[bigint], number>(db, `SELECT count(*) FROM ${fresh}.tests WHERE run_id = ?`).pluck();
    const batch: bigint[] = [];
    let tests = 0;
    while (this.#waiting.length > 0 && tests < size) {
      const run = this.#waiting[0] as bigint;
      const more = await outwaitBusy(context.signal, () => count().get(run) ?? 0);
      if (batch.length > 0 && tests + more > size * 1.25) break;
      batch.push(run);
      this.#waiting.shift();
      tests += Math.max(more, 1);
    }
    return batch;
  }

  /** Makes sure that the states are committed and the ids guarded, and sends the runs to be removed. */
  async #handOn(batch: CopiedBatch): Promise<void> {
    if (batch.runs.length === 0) return;
    const move = this.#move;
    const { signal } = move.context;
    await outwaitBusy(signal, () => commitStates(move, this.#pending));
    await guardAgain(move, this.#beforeCommit);
    move.context.failpoint("removing");
    while (this.#ahead.size >= maxAhead) await Promise.race(this.#ahead);
    const removal: Promise<void> = this.#remove(batch)
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => this.#ahead.delete(removal));
    this.#ahead.add(removal);
  }

  async #remove({ runs, readAt }: CopiedBatch): Promise<void> {
    const move = this.#move;
    const { tally, context } = move;
    const report = await this.#line.remove(idsOf({ runs }), false, { readAt });
    await countRemoval(move, report);
    const changed = new Set(report.changed);
    const left = runs.filter(({ id }) => report.left.includes(id));
    for (const run of left) {
      tally.skip(labelOf(run), "in-flight");
      tally.warn(
        `run ${run.id} (${run.target}/${run.runname}) came to life half moved: a later job finishes it`,
      );
    }
    const moved = runs.filter(({ id }) => !changed.has(id) && !report.left.includes(id));
    const rows = await outwaitBusy(context.signal, () => runRows(move, idsOf({ runs: moved })));
    for (const [table, count] of rows) tally.moved[table] += count;
    for (const run of moved) tally.movedRun(run);
    tally.rowsDone += Object.values(report.removed).reduce((sum, count) => sum + count, 0);
    this.#pending.set(
      moved.map(({ id }) => id),
      "moved",
    );
    if (changed.size > 0) await this.#copyAgain(runs.filter(({ id }) => changed.has(id)));
  }

  /** A client wrote to these after they were copied; nothing of them was removed, so the copies may go. */
  async #copyAgain(runs: readonly Run[]): Promise<void> {
    const move = this.#move;
    await discardCopies(
      move,
      runs.map(({ id }) => id),
    );
    for (const run of runs) {
      if ((this.#copies.get(run.id) ?? 0) < maxCopies) this.#waiting.push(run.id);
      else move.tally.skip(labelOf(run), "changed");
    }
  }

  /** Removes what was copied last, and writes the last states. */
  async #finish(verified: CopiedBatch): Promise<void> {
    const move = this.#move;
    const lost =
      move.context.signal.aborted && (move.context.signal.reason as { code?: string }).code === "lost-lease";
    if (this.#failure !== undefined || lost) return;
    // What is in hand is brought to an end also where the job is to stop.
    const grace = new AbortController();
    const { signal } = move.context;
    if (signal.aborted) setTimeout(() => grace.abort(signal.reason), stopGraceMs).unref();
    const calm = { ...move, context: { ...move.context, signal: grace.signal } };
    this.#move = calm;
    this.#pending.set(idsOf(verified), "removing");
    await outwaitBusy(calm.context.signal, () => commitStates(calm, this.#pending));
    await this.#handOn(verified);
    await Promise.all(this.#ahead);
    await outwaitBusy(calm.context.signal, () => commitStates(calm, this.#pending));
  }
}

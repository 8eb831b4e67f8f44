import type { Progress } from "../../../../shared/contract/move-result.ts";

/** Milliseconds of progress that the rate is computed from. */
const remembered = 60_000;
/** Milliseconds without which a rate says nothing. */
const fewest = 1000;

export interface Rate {
  unit: "rows" | "runs";
  perSecond: number;
  /** Milliseconds until it is done at this rate; undefined if the total is unknown. */
  restMs: number | undefined;
}

interface Sample {
  at: number;
  progress: Progress;
}

/** Computes how fast a job proceeds from its last reports. */
export class RateMeter {
  #samples: Sample[] = [];

  /** @param now milliseconds, as `performance.now()` */
  add(progress: Progress, now: number): void {
    const last = this.#samples.at(-1)?.progress;
    // Each phase counts anew, as does a job that begins again.
    if (last !== undefined && (last.phase !== progress.phase || progress.rows.done < last.rows.done))
      this.#samples = [];
    this.#samples = [...this.#samples.filter(({ at }) => now - at <= remembered), { at: now, progress }];
  }

  get rate(): Rate | undefined {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (first === undefined || last === undefined || last.at - first.at < fewest) return undefined;
    const { runs, rows } = last.progress;
    // A restore and a dry run may count runs alone.
    const unit = rows.done > first.progress.rows.done ? "rows" : "runs";
    const done = last.progress[unit].done - first.progress[unit].done;
    if (done <= 0) return undefined;
    const perSecond = (done * 1000) / (last.at - first.at);
    const total = unit === "rows" ? rows.total : runs.total;
    if (total !== undefined)
      return { unit, perSecond, restMs: restOf(total - last.progress[unit].done, perSecond) };
    return { unit, perSecond, restMs: this.#restByRuns(first, last) };
  }

  /** Rows have no total: the runs tell how much is left. */
  #restByRuns(first: Sample, last: Sample): number | undefined {
    const { done, total } = last.progress.runs;
    const since = done - first.progress.runs.done;
    return since > 0 ? restOf(total - done, (since * 1000) / (last.at - first.at)) : undefined;
  }
}

const restOf = (left: number, perSecond: number) => (Math.max(0, left) * 1000) / perSecond;

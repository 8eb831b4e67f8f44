import type {
  MovedRun,
  MoveResult,
  RunLabel,
  SkipReason,
  TimeUp,
} from "../../shared/contract/move-result.ts";
import { listLimit } from "../../shared/contract/names.ts";

import type { RunId } from "../../shared/sqlite/run-id.ts";
import { labelOf, type Run } from "./run.ts";

/** Maximum length of a warning, characters: it may name a run of any length, or many ids. */
const longestWarning = 1000;

/** Counts what a job did. Counts are complete; lists, also of warnings, stop at `listLimit`. */
export class Tally {
  readonly moved: MoveResult["moved"] = {
    runs: 0,
    tests: 0,
    test_steps: 0,
    test_data: 0,
    run_stats: 0,
    extradat: 0,
    test_rundat: 0,
    archives: 0,
  };
  readonly runs: MovedRun[] = [];
  readonly skipped: MoveResult["skipped"] = [];
  readonly skippedCounts: MoveResult["skippedCounts"] = {};
  readonly warnings: string[] = [];
  readonly #warned = new Set<string>();
  /** By kind of the interrupted job. */
  readonly undone: NonNullable<MoveResult["undone"]> = {};
  timeUp: MoveResult["timeUp"];
  superseded = 0;
  /** Older versions kept of rows that were not yet synced. */
  unsynced = 0;
  late = 0;
  truncated = false;
  /** Rows removed from the sources so far; only for progress. */
  rowsDone = 0;

  movedRun(run: Run): void {
    this.moved.runs++;
    if (this.runs.length < listLimit) this.runs.push(labelOf(run));
    else this.truncated = true;
  }

  /** Resets the moved runs and their rows for a recount. */
  forgetMoved(): void {
    for (const table of Object.keys(this.moved) as (keyof MoveResult["moved"])[]) this.moved[table] = 0;
    this.runs.length = 0;
  }

  /** Updates a run counted as moved that got a new id. */
  renumber(old: RunId, id: RunId): void {
    const index = this.runs.findIndex((run) => run.id === old);
    const run = this.runs[index];
    if (run !== undefined) this.runs[index] = { ...run, id, previousId: run.previousId ?? old };
  }

  skip(run: RunLabel, reason: SkipReason): void {
    this.skippedCounts[reason] = (this.skippedCounts[reason] ?? 0) + 1;
    if (this.skipped.length < listLimit) this.skipped.push({ ...run, reason });
    else this.truncated = true;
  }

  /** Counts chosen runs left to the next job because the time is up. */
  leave(by: TimeUp["by"], runs: number): void {
    this.timeUp = { by, left: (this.timeUp?.left ?? 0) + runs };
  }

  /** Adds a warning, once for each text. */
  warn(sentence: string): void {
    const text = sentence.length > longestWarning ? `${sentence.slice(0, longestWarning)}…` : sentence;
    if (this.#warned.has(text)) return;
    if (this.warnings.length >= listLimit) {
      this.truncated = true;
      return;
    }
    this.#warned.add(text);
    this.warnings.push(text);
  }
}

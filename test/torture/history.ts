import { openArea } from "../../shared/area/area.ts";
import { readHistory } from "../../shared/area/history.ts";
import type { World } from "./world.ts";

interface Line {
  atMs: number;
  sentence: string;
}

/** What happened, to find the cause of a violation. */
export class History {
  readonly lines: Line[] = [];
  readonly #began = performance.now();

  note(sentence: string): void {
    this.lines.push({ atMs: Math.round(performance.now() - this.#began), sentence });
  }
}

/** How often each kind of thing happened, and what came of it. */
export class Tally {
  readonly #counts = new Map<string, number>();

  count(what: string, by = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + by);
  }

  /** From the histories that the areas keep. */
  countJobs(world: World): void {
    for (const area of world.areas) {
      // As the product reads it: a full disk may have torn a line.
      const lines: unknown = readHistory(openArea(area.directory), { limit: 10_000 });
      for (const line of lines as HistoryLine[]) {
        this.count(`${line.job} ${line.outcome ?? line.state}`);
        if (line.moved !== undefined) this.count(`runs of ${line.job}`, line.moved.runs);
      }
    }
  }

  /** By what was counted, in the order of its letters. */
  counts(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

interface HistoryLine {
  job: string;
  jobId: string;
  state: string;
  outcome?: string;
  moved?: { runs: number };
}

import type { RunId } from "../../../../shared/sqlite/run-id.ts";
import type { BrowsedRun } from "../../../contract/runs.ts";
import { changed } from "../data/state.ts";

/** The runs that the user has selected in an area; they stay while other pages are shown. */
export class Selection {
  static readonly #ofAreas = new Map<string, Selection>();

  static of(area: string): Selection {
    const known = Selection.#ofAreas.get(area) ?? new Selection();
    Selection.#ofAreas.set(area, known);
    return known;
  }

  readonly #runs = new Map<RunId, BrowsedRun>();

  get runs(): readonly BrowsedRun[] {
    return [...this.#runs.values()];
  }

  has({ id }: BrowsedRun): boolean {
    return this.#runs.has(id);
  }

  set(runs: readonly BrowsedRun[], isSelected: boolean): void {
    for (const run of runs) {
      if (isSelected) this.#runs.set(run.id, run);
      else this.#runs.delete(run.id);
    }
    changed();
  }
}

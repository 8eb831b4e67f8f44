import type { Progress } from "../../shared/contract/move-result.ts";
import { countText, plural } from "../../shared/text.ts";
import { phaseText } from "./phase.ts";

/** `copying, 3 of 40 runs, 1,200 rows` */
export function progressText({ phase, runs, rows }: Progress): string {
  // A migration counts neither runs nor rows.
  if (runs.total === 0 && rows.done === 0) return phaseText(phase);
  const ofRows = rows.total === undefined ? "" : `${countText(rows.done)} of `;
  const ofRuns = `${countText(runs.done)} of ${plural(runs.total, "run")}`;
  return `${phase}, ${ofRuns}, ${ofRows}${plural(rows.total ?? rows.done, "row")}`;
}

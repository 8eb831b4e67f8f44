import type { Progress } from "../../shared/result.ts";
import { countText } from "./amounts.ts";

/** `copying, 3 of 40 runs, 1,200 rows` */
export function progressText({ phase, runs, rows }: Progress): string {
  const total = rows.total === undefined ? "" : ` of ${countText(rows.total)}`;
  return `${phase}, ${countText(runs.done)} of ${countText(runs.total)} runs, ${countText(rows.done)}${total} rows`;
}

import type { AutomaticStatus } from "../automatic-status.ts";
import { printable } from "./table.ts";

/** Returns a line for each failing schedule or policy; empty if all are fine. */
export function automaticText(
  all: readonly Pick<AutomaticStatus, "kind" | "name" | "area" | "ok" | "problem">[],
): string {
  return all
    .filter(({ ok }) => !ok)
    .map(({ kind, name, area, problem }) => {
      const what = kind === "schedule" ? `schedule ${name}` : `[reduce-records] ${name}`;
      return printable(`FAILING: ${what} of ${area}: ${problem}`);
    })
    .join("\n");
}

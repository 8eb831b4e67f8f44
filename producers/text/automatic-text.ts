import type { AutomaticStatus } from "../automatic-status.ts";
import { printable } from "./table.ts";

/** A line for each schedule or policy that nobody may overlook; empty where all is well. */
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

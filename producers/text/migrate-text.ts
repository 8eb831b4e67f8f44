import type { MigrateCheck, MigrateResult } from "../../shared/migrate-result.ts";
import { plural } from "../../shared/plural.ts";
import { bytesText, countText, elapsedText } from "./amounts.ts";
import { printable, textTable } from "./table.ts";

/** What is shown of a migration; of one that has failed the error says the rest. */
export type ShownMigration = Omit<MigrateResult, "job" | "areaId">;

const marks = { true: "ok", false: "AGAINST", null: "unknown" } as const;

/** A finished migration as plain text: how it ended, what was looked at, and what was carried. */
export function migrateText(result: ShownMigration): string {
  const { checks, bytes, strays, warnings, lastSyncAt } = result;
  const parts = [`${result.jobId}: ${printable(headOf(result))}`];
  if (checks.length > 0) parts.push(textTable(checks.map(checkRow), { indent: "  " }));
  const carried = Object.entries(bytes).map(([file, size]) => [file, bytesText(size)]);
  if (carried.length > 0) parts.push(`carried:\n${textTable(carried, { right: [1], indent: "  " })}`);
  if (lastSyncAt !== undefined)
    parts.push(`the last sync seen was at ${lastSyncAt}: what came later on the old home may be missing`);
  if (strays.merged + strays.kept > 0) parts.push(straysText(strays));
  for (const warning of warnings) parts.push(`warning: ${printable(warning)}`);
  return parts.join("\n\n");
}

function headOf(result: ShownMigration): string {
  const { area, dryRun, elapsedMs, kind, outcome, reason = "no reason is known" } = result;
  const [from, to] = [placeText(result.fromHost, result.from), placeText(result.toHost, result.to)];
  const after = elapsedText(elapsedMs);
  switch (outcome) {
    case "migrated":
      if (dryRun) return `nothing speaks against moving ${area} from ${from} to ${to} now`;
      return kind === "takeover"
        ? `took ${area} over from ${from}: ${to} is its homehost now, after ${after}`
        : `moved ${area} from ${from} to ${to} in ${after}`;
    case "already-home":
      return `${area} is at home on ${to} already`;
    case "refused":
      return `${dryRun ? "would refuse" : "refused"} to move ${area} from ${from} to ${to}: ${reason}`;
    case "rolled-back":
      return `undone after ${after}, ${area} is at home on ${from} as before: ${reason}`;
  }
}

/** `hostA (10.0.0.1)`; the one alone where they are the same or the other is not known. */
export function placeText(host: string | null, home: string | null): string {
  if (host === null || host === home) return home ?? "nowhere";
  return home === null ? host : `${host} (${home})`;
}

function checkRow({ name, ok, detail }: MigrateCheck): string[] {
  return [marks[`${ok}`], name, detail];
}

function straysText({ merged, kept }: MigrateResult["strays"]): string {
  const aside =
    kept === 0 ? "" : `, ${countText(kept)} kept aside in completed-runs.db (both sides had changed)`;
  return `written at a wrong place: ${plural(merged, "row")} brought home${aside}`;
}

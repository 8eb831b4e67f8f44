import type { MigrateCheck, MigrateResult } from "../../shared/contract/migrate-result.ts";
import { bytesText, countText, plural } from "../../shared/text.ts";
import { elapsedText } from "../../shared/time/elapsed.ts";
import { printable, textTable } from "./table.ts";

/** The shown part of a migration; for a failed one the error says the rest. */
export type ShownMigration = Omit<MigrateResult, "job" | "areaId">;

const marks = { true: "ok", false: "AGAINST", null: "unknown" } as const;

export function migrateText(result: ShownMigration): string {
  const { checks, bytes, strays, warnings, lastSyncAt } = result;
  const paragraphs = [`${result.jobId}: ${printable(headOf(result))}`];
  if (checks.length > 0) paragraphs.push(textTable(checks.map(checkRow), { indent: "  " }));
  const carried = Object.entries(bytes).map(([file, size]) => [file, bytesText(size)]);
  if (carried.length > 0) paragraphs.push(`copied:\n${textTable(carried, { right: [1], indent: "  " })}`);
  if (lastSyncAt !== undefined)
    paragraphs.push(
      `the last known sync was at ${lastSyncAt}; later changes on the old homehost may be missing`,
    );
  if (strays.merged + strays.kept > 0) paragraphs.push(divergentText(strays));
  for (const warning of warnings) paragraphs.push(`warning: ${printable(warning)}`);
  return paragraphs.join("\n\n");
}

function headOf(result: ShownMigration): string {
  const { area, dryRun, elapsedMs, kind, outcome, reason = "reason unknown" } = result;
  const [from, to] = [placeText(result.fromHost, result.from), placeText(result.toHost, result.to)];
  const after = elapsedText(elapsedMs);
  switch (outcome) {
    case "migrated":
      if (dryRun) return `nothing prevents moving ${area} from ${from} to ${to} now`;
      return kind === "takeover"
        ? `took over ${area} from ${from} in ${after}: ${to} is now its homehost`
        : `moved ${area} from ${from} to ${to} in ${after}`;
    case "already-home":
      return `${area} is already at home on ${to}`;
    case "refused":
      return `${dryRun ? "would refuse" : "refused"} to move ${area} from ${from} to ${to}: ${reason}`;
    case "rolled-back":
      return `undone after ${after}, ${area} is still at home on ${from}: ${reason}`;
  }
}

/** `hostA (10.0.0.1)`; only one of the two if they are equal or the other is unknown. */
export function placeText(host: string | null, home: string | null): string {
  if (host === null || host === home) return home ?? "nowhere";
  return home === null ? host : `${host} (${home})`;
}

function checkRow({ name, ok, detail }: MigrateCheck): string[] {
  return [marks[`${ok}`], name, detail];
}

function divergentText({ merged, kept }: MigrateResult["strays"]): string {
  const aside = kept === 0 ? "" : `, ${countText(kept)} kept in completed-runs.db (changed on both sides)`;
  return `written to divergent caches: ${plural(merged, "row")} merged${aside}`;
}

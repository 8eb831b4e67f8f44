import { type MoveResult, recordTables, type SkipReason } from "../../shared/result.ts";
import { bytesText, countText, elapsedText, plural } from "./amounts.ts";
import { printable, textTable } from "./table.ts";

/** Of each reason for staying, this many runs are named. */
const namedPerReason = 3;

const meanings: Record<SkipReason, string> = {
  "in-flight": "a test of theirs is still running",
  recent: "younger than --age",
  kept: "among the newest that --keep leaves",
  locked: "locked by their owner; --include-locked moves them",
  conflict: "a run of that target and name is in completed-runs.db already",
  changed: "they changed while they were being moved; the next job takes them",
};

/** A finished reduce as plain text: what moved, what stayed and why, and what it did to the files. */
export function resultText(result: MoveResult): string {
  const { dryRun, moved, runs } = result;
  const verb = dryRun ? "would move" : "moved";
  const head = `${result.jobId}: ${verb} ${plural(moved.runs, "run")} of ${printable(result.area)} on ${result.host} in ${elapsedText(result.elapsedMs)}`;
  const parts = [head];
  if (moved.runs > 0) parts.push(movedText(result), dryRun ? runsText(runs, moved.runs) : "");
  parts.push(skippedText(result), dryRun ? "" : bytesLines(result));
  if (result.superseded > 0) {
    parts.push(
      `${plural(result.superseded, "row")} lost against a newer version and ${result.superseded === 1 ? "is" : "are"} kept in completed-runs.db`,
    );
  }
  if (result.late > 0) parts.push(`${plural(result.late, "late row")} brought to runs moved earlier`);
  for (const warning of result.warnings) parts.push(`warning: ${printable(warning)}`);
  return parts.filter((part) => part !== "").join("\n\n");
}

function movedText({ moved }: MoveResult): string {
  const rows = (["runs", ...recordTables] as const).map((table) => [table, countText(moved[table])]);
  return textTable(rows, { right: [1], indent: "  " });
}

function runsText(runs: MoveResult["runs"], total: number): string {
  const named = runs.slice(0, 10).map((run) => [`#${run.id}`, `${run.target}/${run.runname}`]);
  const more = total > named.length ? `\n  … and ${countText(total - named.length)} more` : "";
  return `runs:\n${textTable(named, { indent: "  " })}${more}`;
}

function skippedText({ skipped, skippedCounts }: MoveResult): string {
  const reasons = Object.entries(skippedCounts) as [SkipReason, number][];
  const blocks = reasons
    .filter(([, count]) => count > 0)
    .map(([reason, count]) => {
      const named = skipped.filter((run) => run.reason === reason).slice(0, namedPerReason);
      const lines = textTable(
        named.map((run) => [`#${run.id}`, `${run.target}/${run.runname}`]),
        { indent: "    " },
      );
      const more = count > named.length ? `\n    … and ${countText(count - named.length)} more` : "";
      return `  ${reason}: ${plural(count, "run")} (${meanings[reason]})\n${lines}${more}`;
    });
  return blocks.length === 0 ? "" : `stayed:\n${blocks.join("\n")}`;
}

function bytesLines({ bytes }: MoveResult): string {
  const rows = Object.entries(bytes).map(([file, { before, after }]) => [
    file,
    bytesText(before),
    "→",
    bytesText(after),
  ]);
  return rows.length === 0 ? "" : textTable(rows, { right: [1, 3], indent: "  " });
}

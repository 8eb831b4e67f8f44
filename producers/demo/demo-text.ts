import { plural } from "../../shared/plural.ts";
import type { SkipReason } from "../../shared/result.ts";
import { bytesText, countText, elapsedText } from "../text/amounts.ts";
import { textTable } from "../text/table.ts";
import type { DemoReport } from "./run-demo.ts";
import { settingsEnvironment } from "./worker-process.ts";

/** How commands are called here. */
export interface Calls {
  /** `mtjobs` or `npx mtjobs`. */
  command: string;
  /** The demo itself, as it was called. */
  again: string;
}

/** What the demo prints at its end. */
export function demoText(report: DemoReport, calls: Calls): string {
  const { before, after } = report;
  const size = Object.keys(before.bytes).map((file) => [
    file,
    bytesText(before.bytes[file] ?? 0),
    bytesText(after.bytes[file] ?? 0),
  ]);
  const rows = Object.keys(before.rows).map((table) => [
    table,
    countText(before.rows[table] ?? 0),
    countText(after.rows[table] ?? 0),
    countText(after.completedRows[table] ?? 0),
  ]);
  const times = Object.keys(before.queries).map((query) => [
    query,
    millisecondsText(before.queries[query] ?? 0),
    millisecondsText(after.queries[query] ?? 0),
  ]);
  return [
    storyText(report),
    textTable(size, { head: ["FILE", "BEFORE", "AFTER"], right: [1, 2] }),
    textTable(rows, {
      head: ["ROWS IN THE CACHE", "BEFORE", "AFTER", "IN COMPLETED-RUNS.DB"],
      right: [1, 2, 3],
    }),
    "(one hidden row of each table stays behind: it keeps the ids of moved rows from being handed out again)",
    textTable(times, { head: ["QUERY ON THE CACHE", "BEFORE", "AFTER"], right: [1, 2] }),
    ...report.result.warnings.map((warning) => `warning: ${warning}`),
    nextText(report, calls),
  ].join("\n\n");
}

const stayed: Record<SkipReason, string> = {
  recent: "younger than 30 days",
  "in-flight": "with tests still running",
  kept: "kept",
  locked: "locked",
  conflict: "in conflict",
  changed: "changed meanwhile",
};

function storyText({ result }: DemoReport): string {
  const { moved, runs: _runs, ...rest } = { ...result.moved, moved: result.moved.runs };
  const records = Object.values(rest).reduce((sum, count) => sum + count, moved);
  const reasons = (Object.entries(result.skippedCounts) as [SkipReason, number][]).map(
    ([reason, count]) => `${countText(count)} ${stayed[reason]}`,
  );
  const lines = [
    `moved ${plural(moved, "run")}, ${countText(records)} records, in ${elapsedText(result.elapsedMs)}, each compared with its copy before it went`,
  ];
  if (reasons.length > 0) lines.push(`stayed: ${reasons.join(", ")}`);
  if (result.superseded > 0) {
    lines.push(
      `${plural(result.superseded, "row")} stood in two versions, as cache and megatest.db had drifted apart: the newer moved, the other is kept beside it`,
    );
  }
  return lines.join("\n");
}

/** Queries take well under a second: two digits after the point tell before from after. */
function millisecondsText(milliseconds: number): string {
  return `${milliseconds.toFixed(2)} ms`;
}

function nextText({ area, settings }: DemoReport, { command, again }: Calls): string {
  if (area === null) {
    return nextSteps("Everything the demo made is removed again. What to try next:", [
      [`${again} --keep-area`, "keep the area and look around in it"],
      [`${command} reduce /your/area --age 30d --dry-run --inline`, "what would leave an area of yours"],
      [`${command} reduce --help`, "choose runs, wait, compact"],
    ]);
  }
  const { MTJOBS_HOST, MTJOBS_CACHE_ROOT, MTJOBS_USER } = settingsEnvironment(settings);
  return nextSteps(`The area is kept in ${area}. What to try next:`, [
    [
      `export MTJOBS_HOST=${MTJOBS_HOST} MTJOBS_CACHE_ROOT='${MTJOBS_CACHE_ROOT}' MTJOBS_USER='${MTJOBS_USER}'`,
    ],
    [`${command} reduce '${area}' --age 10d --dry-run --inline`, "what would go next"],
    [`${command} reduce '${area}' --age 10d --inline`, "move it, without Redis"],
    [`${command} status '${area}'`, "sizes and last jobs; its queue too where a Redis runs"],
    [`rm -r '${settings.areas[0]}'`, "when you have seen enough"],
  ]);
}

/** Command lines, each with what it does behind it. */
function nextSteps(head: string, steps: readonly (readonly [line: string, does?: string])[]): string {
  const width = Math.max(...steps.map(([line, does]) => (does === undefined ? 0 : line.length)));
  const lines = steps.map(([line, does]) =>
    does === undefined ? `  ${line}` : `  ${line.padEnd(width)}  # ${does}`,
  );
  return [head, ...lines].join("\n");
}

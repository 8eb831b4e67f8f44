import type { SkipReason } from "../../shared/contract/move-result.ts";
import { bytesText, countText, plural } from "../../shared/text.ts";
import { elapsedText } from "../../shared/time/elapsed.ts";
import { textTable } from "../format/table.ts";
import type { DemoReport } from "./run-demo.ts";
import { settingsEnvironment } from "./worker-process.ts";

export interface Calls {
  /** `mtjobs` or `npx mtjobs`. */
  command: string;
  /** The demo itself, as it was started. */
  again: string;
}

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
    "(one hidden row stays in each table; it keeps the ids of moved rows from being reused)",
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
  changed: "changed during the move",
};

function storyText({ result }: DemoReport): string {
  const { moved, runs: _runs, ...rest } = { ...result.moved, moved: result.moved.runs };
  const records = Object.values(rest).reduce((sum, count) => sum + count, moved);
  const reasons = (Object.entries(result.skippedCounts) as [SkipReason, number][]).map(
    ([reason, count]) => `${countText(count)} ${stayed[reason]}`,
  );
  const lines = [
    `moved ${plural(moved, "run")}, ${countText(records)} records, in ${elapsedText(result.elapsedMs)}; each was compared with its copy before it was removed`,
  ];
  if (reasons.length > 0) lines.push(`stayed: ${reasons.join(", ")}`);
  if (result.superseded > 0) {
    lines.push(
      `${plural(result.superseded, "row")} differed between cache and megatest.db: the newer version was moved, the older one is kept in completed-runs.db`,
    );
  }
  return lines.join("\n");
}

/** Queries take far less than a second: two decimals show the difference. */
function millisecondsText(milliseconds: number): string {
  return `${milliseconds.toFixed(2)} ms`;
}

function nextText({ area, settings }: DemoReport, { command, again }: Calls): string {
  if (area === null) {
    return nextSteps("Everything the demo created has been removed. What to try next:", [
      [`${again} --keep-area`, "keep the area to try other commands on it"],
      [
        `${command} reduce /your/area --age 30d --dry-run --inline`,
        "what a reduce would move from your area",
      ],
      [`${command} reduce --help`, "selectors, waiting, compacting"],
    ]);
  }
  const { MTJOBS_HOST, MTJOBS_CACHE_ROOT, MTJOBS_USER } = settingsEnvironment(settings);
  return nextSteps(`The area is kept in ${area}. What to try next:`, [
    [
      `export MTJOBS_HOST=${MTJOBS_HOST} MTJOBS_CACHE_ROOT='${MTJOBS_CACHE_ROOT}' MTJOBS_USER='${MTJOBS_USER}'`,
    ],
    [`${command} reduce '${area}' --age 10d --dry-run --inline`, "what would move next"],
    [`${command} reduce '${area}' --age 10d --inline`, "move it, without Redis"],
    [`${command} status '${area}'`, "sizes and last jobs; with Redis also its queue"],
    [`rm -r '${settings.areas[0]}'`, "remove it"],
  ]);
}

export function nextSteps(head: string, steps: readonly (readonly [line: string, does?: string])[]): string {
  const width = Math.max(...steps.map(([line, does]) => (does === undefined ? 0 : line.length)));
  const lines = steps.map(([line, does]) =>
    does === undefined ? `  ${line}` : `  ${line.padEnd(width)}  # ${does}`,
  );
  return [head, ...lines].join("\n");
}

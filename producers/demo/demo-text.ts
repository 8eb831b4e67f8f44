import { bytesText, countText, elapsedText, plural } from "../text/amounts.ts";
import { textTable } from "../text/table.ts";
import type { DemoReport } from "./run-demo.ts";
import { settingsEnvironment } from "./worker-process.ts";

/** What the demo prints at its end. */
export function demoText(report: DemoReport): string {
  const { before, after, result } = report;
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
    `moved ${plural(result.moved.runs, "run")} in ${elapsedText(result.elapsedMs)}; ${plural(after.rows.runs ?? 0, "run")} stayed`,
    textTable(size, { head: ["FILE", "BEFORE", "AFTER"], right: [1, 2] }),
    textTable(rows, { head: ["ROWS", "BEFORE", "AFTER", "IN COMPLETED-RUNS.DB"], right: [1, 2, 3] }),
    textTable(times, { head: ["QUERY ON THE CACHE", "BEFORE", "AFTER"], right: [1, 2] }),
    ...result.warnings.map((warning) => `warning: ${warning}`),
    nextText(report),
  ].join("\n\n");
}

/** Queries take well under a second: two digits after the point tell before from after. */
function millisecondsText(milliseconds: number): string {
  return `${milliseconds.toFixed(2)} ms`;
}

function nextText({ area, settings }: DemoReport): string {
  if (area === null) {
    return [
      "Everything the demo made is removed again. What to try next:",
      "  mtjobs demo --keep-area                               # keep the area and look around in it",
      "  cd /your/area && mtjobs reduce --age 30d --dry-run --inline   # what would leave yours",
      "  mtjobs reduce --help                                  # choose runs, wait, compact",
    ].join("\n");
  }
  const { MTJOBS_HOST, MTJOBS_CACHE_ROOT, MTJOBS_USER } = settingsEnvironment(settings);
  return [
    `The area is kept in ${area}. What to try next:`,
    `  export MTJOBS_HOST=${MTJOBS_HOST} MTJOBS_CACHE_ROOT='${MTJOBS_CACHE_ROOT}' MTJOBS_USER='${MTJOBS_USER}'`,
    `  mtjobs status '${area}'`,
    `  mtjobs reduce '${area}' --age 10d --dry-run --inline`,
    `  sqlite3 '${area}/completed-runs.db' 'SELECT count(*) FROM tests'`,
    `  rm -r '${settings.areas[0]}'   # when you have seen enough`,
  ].join("\n");
}

import { statSync } from "node:fs";
import type { Area } from "../../shared/area/area.ts";
import { firstInHistory, scanHistory } from "../../shared/area/history.ts";
import type { HistoryLine } from "../../shared/contract/area-facts.ts";
import type { AreaHistory, BySide, PastMigration } from "../contract/area.ts";
import { BoundedList, beginningOf } from "./bounded.ts";
import { type JobSizes, pointsOf, sizesOf } from "./history-points.ts";

/** How much of a long history is read, from its end. */
const mostLines = 20_000;
const mostBytes = 32 * 1024 * 1024;

/** Maximum number of lines in an answer, and bytes of these lists as JSON. */
const linesShown = 500;
const lineListBytes = 80_000;
const migrationListBytes = 30_000;
/** Bytes of a line that is shown as it is. */
const longLine = 8000;

/**
 * Reads an area's history: its last lines, and the sizes before and after each job, as far back as it goes. Opens no
 * database.
 */
export function areaHistory(area: Area): AreaHistory {
  const lines = new BoundedList<HistoryLine>(lineListBytes);
  const migrations = new BoundedList<PastMigration>(migrationListBytes);
  const sizes: JobSizes[] = [];
  let [read, bytesRead, complete] = [0, 0, true];
  scanHistory(area, (line, bytes) => {
    if (read >= mostLines || bytesRead + bytes > mostBytes) {
      complete = false;
      return false;
    }
    read++;
    bytesRead += bytes;
    if (lines.rows.length < linesShown) lines.add(shortLine(line, bytes));
    const job = sizesOf(line);
    if (job !== undefined) sizes.push(job);
    const migration = migrationOf(line);
    if (migration !== undefined) migrations.add(migration);
    return true;
  });
  const first = complete ? undefined : firstInHistory(area);
  const firstSizes = first && sizesOf(first);
  if (firstSizes !== undefined) sizes.push(firstSizes);
  const { points, shown } = pointsOf(sizes.reverse());
  return {
    history: lines.rows.reverse(),
    points,
    migrations: migrations.rows.reverse(),
    jobs: { read, shown, complete },
    now: { at: Math.floor(Date.now() / 1000), bytes: bytesNow(area) },
  };
}

function bytesNow({ megatestDb, completedDb }: Area): BySide {
  const size = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? null;
  return { "megatest.db": size(megatestDb), "completed-runs.db": size(completedDb) };
}

const textOf = (value: unknown) => (typeof value === "string" ? beginningOf(value, 300) : null);

/** Returns a line without long members, if it is long. */
function shortLine(line: HistoryLine, bytes: number): HistoryLine {
  if (bytes <= longLine) return line;
  const { warnings, ...rest } = line;
  const all = Array.isArray(warnings) ? warnings : [];
  const few = { ...rest, warnings: all.slice(0, 3).map(textOf), cut: true };
  if (Buffer.byteLength(JSON.stringify(few)) <= longLine) return few;
  const { jobId, at, job, state, requestedBy } = line;
  const texts = { at: textOf(at), job: textOf(job), state: textOf(state), requestedBy: textOf(requestedBy) };
  return { jobId: beginningOf(jobId, 300), ...texts, cut: true };
}

/** Returns undefined for another job. */
function migrationOf(line: HistoryLine): PastMigration | undefined {
  const at = Date.parse(String(line.at));
  if (line.job !== "migrate" || Number.isNaN(at)) return undefined;
  return {
    at: Math.floor(at / 1000),
    jobId: beginningOf(line.jobId, 300),
    kind: textOf(line.kind),
    outcome: textOf(line.outcome),
    from: textOf(line.from),
    to: textOf(line.to),
    fromHost: textOf(line.fromHost),
    toHost: textOf(line.toHost),
    requestedBy: textOf(line.requestedBy),
    reason: textOf(line.reason),
  };
}

import { statSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { completedStates, uncountedStates } from "../../shared/area-db/run-sides.ts";
import type { MoveResult } from "../../shared/contract/move-result.ts";
import type { MovePayload } from "../../shared/contract/payload.ts";
import { defined } from "../../shared/defined.ts";
import { type Connection, prepared, quoteTexts } from "../../shared/sqlite/connection.ts";
import { idRanges } from "../../shared/sqlite/ids.ts";
import type { Files } from "../area-db/databases.ts";
import { directionOf, type JobSession } from "./session/job-session.ts";

/** Returns the size of each file, bytes, by the name used in results; 0 for a missing file. */
export function fileSizes(files: Files): Record<string, number> {
  const named = {
    "megatest.db": files.area,
    "completed-runs.db": files.completed,
    "cache/megatest.db": files.cache,
    "cache/megatest_ref.db": files.ref,
  };
  return Object.fromEntries(
    Object.entries(named).flatMap(([name, file]) =>
      file === undefined ? [] : [[name, statSync(file, { throwIfNoEntry: false })?.size ?? 0]],
    ),
  );
}

export interface ReportOptions {
  session: Pick<JobSession, "context" | "area" | "files" | "tally" | "counts">;
  job: MoveResult["job"];
  payload: MovePayload;
  areaId: string | null;
  before: Record<string, number>;
  /** `performance.now()` when the job began. */
  started: number;
}

/** Returns the job's result. */
export function describeResult({
  session,
  job,
  payload,
  areaId,
  before,
  started,
}: ReportOptions): MoveResult {
  const { context, area, files, tally, counts } = session;
  const own = directionOf(job);
  const finished = Object.entries(counts).filter(
    ([direction, tally]) => direction !== own && tally.moved.runs > 0,
  );
  const after = fileSizes(files);
  return {
    jobId: context.jobId,
    job,
    area: area.path,
    areaId,
    host: context.settings.host,
    state: "completed",
    dryRun: payload.dryRun,
    moved: tally.moved,
    ...(finished.length > 0
      ? { finished: Object.fromEntries(finished.map(([direction, { moved }]) => [direction, moved])) }
      : {}),
    ...(Object.keys(tally.undone).length > 0 ? { undone: tally.undone } : {}),
    runs: tally.runs,
    skipped: tally.skipped,
    skippedCounts: tally.skippedCounts,
    ...defined({ timeUp: tally.timeUp }),
    ...(tally.truncated ? { truncated: true as const } : {}),
    superseded: tally.superseded,
    ...(tally.unsynced > 0 ? { unsynced: tally.unsynced } : {}),
    late: tally.late,
    bytes: Object.fromEntries(
      Object.entries(after).map(([name, bytes]) => [name, { before: before[name] ?? bytes, after: bytes }]),
    ),
    warnings: tally.warnings,
    elapsedMs: Math.round(performance.now() - started),
  };
}

/** Runs of megatest.db and of completed-runs.db, by file name. */
export type RunsBySide = Record<"megatest.db" | "completed-runs.db", { runs: number }>;

/** Runs read in one statement, which delays Megatest's commits. */
const chunk = 2_000;

/** Counts every run once, in the database where it counts; without hidden runs and those only in the cache. */
export function countSides(db: Connection): RunsBySide {
  return {
    "megatest.db": { runs: countRuns(db, "area", completedStates) },
    "completed-runs.db": { runs: countRuns(db, "completed", uncountedStates) },
  };
}

/** @param elsewhere states of a run that counts on the other side */
function countRuns(db: Connection, part: "area" | "completed", elsewhere: readonly string[]): number {
  const states = quoteTexts(elsewhere);
  const count = prepared<[bigint, bigint], number>(
    db,
    `SELECT count(*) FROM ${part}.runs AS r WHERE r.id BETWEEN ? AND ? AND coalesce(r.state, '') <> 'deleted'
       AND NOT EXISTS (SELECT 1 FROM completed.mtjobs_runs AS m WHERE m.run_id = r.id AND m.state IN (${states}))`,
  ).pluck();
  let total = 0;
  for (const range of idRanges(db, `${part}.runs`, chunk)) total += count.get(...range) ?? 0;
  return total;
}

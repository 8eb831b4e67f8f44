import { completedStates, uncountedStates } from "../../shared/full-db/sides.ts";
import { type Connection, prepared, quoteTexts } from "../../shared/sqlite/connection.ts";
import { idRanges } from "../../shared/sqlite/ids.ts";

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

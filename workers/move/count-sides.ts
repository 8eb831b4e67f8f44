import { completedStates, uncountedStates } from "../../shared/full-db/sides.ts";
import { type Connection, prepared, quoteText } from "../../shared/sqlite/connection.ts";

/** Runs of megatest.db and of completed-runs.db, by file name. */
export type RunsBySide = Record<"megatest.db" | "completed-runs.db", { runs: number }>;

/** Runs that are looked at in one statement, which holds up a commit of Megatest's. */
const chunk = 2_000;

/** Counts every run once, on the side where it stands for; hidden ones and those that only the cache has are left out. */
export function countSides(db: Connection): RunsBySide {
  return {
    "megatest.db": { runs: countRuns(db, "area", completedStates) },
    "completed-runs.db": { runs: countRuns(db, "completed", uncountedStates) },
  };
}

/** @param elsewhere states of a run that counts on the other side */
function countRuns(db: Connection, part: "area" | "completed", elsewhere: readonly string[]): number {
  const states = elsewhere.map((state) => `${quoteText(state)}`).join(", ");
  const slice = prepared(
    db,
    `SELECT count(*) AS seen, max(id) AS last, coalesce(sum(counts), 0) AS runs FROM (
       SELECT r.id, coalesce(r.state, '') <> 'deleted' AND NOT EXISTS (
         SELECT 1 FROM completed.mtjobs_runs AS m WHERE m.run_id = r.id AND m.state IN (${states})) AS counts
       FROM ${part}.runs AS r WHERE r.id > ? ORDER BY r.id LIMIT ${chunk})`,
  );
  for (let total = 0, from = Number.MIN_SAFE_INTEGER; ; ) {
    const { seen, last, runs } = slice.get(from) as { seen: number; last: number; runs: number };
    total += runs;
    if (seen < chunk) return total;
    from = last;
  }
}

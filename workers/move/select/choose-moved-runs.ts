import { matchRun, targetSql } from "../../../shared/area-db/match-run.ts";
import type { RestorePayload, Selectors } from "../../../shared/contract/payload.ts";
import { prepared, quoteName } from "../../../shared/sqlite/connection.ts";
import { preparedIds } from "../../../shared/sqlite/ids.ts";
import { defaultExpression } from "../../../shared/sqlite/table.ts";
import { lifeOf, seconds } from "../../../shared/sqlite/times.ts";
import { labelOf, oddTimeText, type Run } from "../../area-db/run.ts";
import { planOf } from "../../records/record-session.ts";
import { sameRow } from "../../records/row-sql.ts";
import { markForeignDirectories, renameRun } from "../ids/rename-run.ts";
import type { JobSession } from "../session/job-session.ts";
import { type Candidate, candidates, newestPerTarget, timesOf } from "./choose-runs.ts";
import { warnOfNoMatch, warnOfUnknownIds } from "./unknown-ids.ts";

/** Which moved runs a job takes. */
type Selection = Selectors & Pick<RestorePayload, "includeLocked">;

/**
 * Returns the moved runs that match the patterns and ids, oldest id first. Those that `--keep`, `--age` or a lock
 * keeps in completed-runs.db are tallied as skipped.
 *
 * @param verb as in "restore it without --age"
 */
export async function selectMovedRuns(
  session: JobSession,
  selection: Selection,
  verb: string,
): Promise<Candidate[]> {
  await warnOfUnknownIds(session, selection.runId, "completed");
  const matching = await session.read(() => matchingRuns(session, selection));
  if (matching.length === 0) await warnOfNoMatch(session, selection, "completed");
  const { age, includeLocked } = selection;
  const kept = newestPerTarget(matching, selection.keep ?? 0);
  const cutoff = age === undefined ? Number.POSITIVE_INFINITY : (session.now - age) / 1000;
  const selected: Candidate[] = [];
  for (const run of matching) {
    const label = labelOf(run);
    if (kept.has(run.id)) session.tally.skip(label, "kept");
    else if (run.state === "locked" && !includeLocked) session.tally.skip(label, "locked");
    else if (age !== undefined && (await session.read(() => lastActivity(session, run))) > cutoff) {
      session.tally.skip(label, "recent");
      if (run.oddTime !== null)
        session.tally.warn(oddTimeText(run, `its event_time is ${run.oddTime}`, `${verb} it without --age`));
    } else selected.push(run);
  }
  return selected;
}

/**
 * Returns the moved runs to restore. A run whose target and name were registered again stays, or gets a new name, as
 * the payload says.
 */
export async function chooseMovedRuns(session: JobSession, payload: RestorePayload): Promise<Run[]> {
  const homeless = homelessValues(session);
  const chosen: Run[] = [];
  for (const run of await selectMovedRuns(session, payload, "restore")) {
    const label = labelOf(run);
    const { id, target, runname } = run;
    const left = await session.read(() => homeless.find(({ has }) => has(run.id)));
    if (left !== undefined) {
      session.tally.skip(label, "changed");
      session.tally.warn(`runs with ${left.what}`);
    } else {
      const isAgain = await session.read(() => isRegisteredAgain(session, run.id));
      if (isAgain && payload.onConflict === "refuse") {
        session.tally.skip(label, "conflict");
        continue;
      }
      const fit = await (isAgain ? renameRun : markForeignDirectories)(session, { id, target, runname });
      if (fit !== undefined) chosen.push(await withPreviousId(session, fit));
    }
  }
  return chosen;
}

interface Homeless {
  /** For a warning, after "runs with". */
  what: string;
  /** Returns true if the run has such a row. */
  has(run: bigint): boolean;
}

/**
 * Returns the tables and columns that only completed-runs.db has, as after a downgrade of Megatest: nothing can restore
 * them. Rows of a table that never syncs would be lost in the ref, from which they are not read.
 */
export function homelessValues({ db, records, sources }: JobSession): Homeless[] {
  return records.flatMap(({ table, parent, synced, target, columnsIn }) => {
    const homes = sources.filter((part) => (synced || part !== "ref") && columnsIn(part).length > 0);
    const rows =
      parent === "test_id"
        ? `completed.tests AS t CROSS JOIN completed.${table} AS d ON d.test_id = t.id WHERE t.run_id = ?`
        : `completed.${table} AS d WHERE d.${parent ?? "id"} = ?`;
    const homeless = (what: string, condition: string): Homeless => {
      const found = db
        .prepare<[bigint], number>(`SELECT EXISTS (SELECT 1 FROM ${rows} AND ${condition})`)
        .pluck();
      return { what, has: (run) => found.get(run) === 1 };
    };
    if (homes.length === 0)
      return [
        homeless(`rows in ${table} stay in completed-runs.db: no database of the area has that table`, "1"),
      ];
    return target
      .filter(({ name }) => !homes.some((part) => columnsIn(part).includes(name)))
      .map(({ name, defaultSql }) => {
        const value = `d.${quoteName(name)}`;
        return homeless(
          `values in ${table}.${name} stay in completed-runs.db: no database of the area has that column`,
          `${value} IS NOT NULL AND ${value} IS NOT (${defaultExpression({ defaultSql })})`,
        );
      });
  });
}

function matchingRuns(session: JobSession, selection: Selection): Candidate[] {
  const { sql, parameters } = matchRun(session.keys, selection);
  return candidates(
    session.db,
    `SELECT r.id AS id, ${targetSql(session.keys, "r")} AS target, coalesce(r.runname, '') AS runname,
         coalesce(r.state, '') AS state, ${timesOf("r")}
       FROM completed.runs AS r CROSS JOIN completed.mtjobs_runs AS m ON m.run_id = r.id
       WHERE m.state = 'moved' AND ${sql} ORDER BY r.id`,
    parameters,
  );
}

/** Returns seconds since 1970. */
export function lastActivity({ db }: JobSession, { id, eventTime }: Candidate): number {
  const life = prepared<{ run: bigint }, number | null>(
    db,
    `SELECT max(life) FROM (
       SELECT max(${lifeOf("t")}) AS life FROM completed.tests AS t WHERE t.run_id = :run
       UNION ALL SELECT max(${seconds("s.event_time")}) FROM completed.tests AS t
         CROSS JOIN completed.test_steps AS s ON s.test_id = t.id WHERE t.run_id = :run)`,
  ).pluck();
  return Math.max(eventTime, life.get({ run: id }) ?? 0);
}

function isRegisteredAgain(session: JobSession, run: bigint): boolean {
  const name = planOf(session, "runs").naturalKey;
  return session.sources.some(
    (part) =>
      prepared<[bigint], number>(
        session.db,
        `SELECT EXISTS (SELECT 1 FROM completed.runs AS r CROSS JOIN ${part}.runs AS o ON o.runname = r.runname
           WHERE r.id = ? AND ${sameRow("o", "r", name)})`,
      )
        .pluck()
        .get(run) === 1,
  );
}

/** Adds the id that a run had when it was moved, if that has changed. */
async function withPreviousId(session: JobSession, run: Run): Promise<Run> {
  const { db } = session;
  const previousId = await session.read(() =>
    preparedIds<[bigint]>(
      db,
      `SELECT n.old_id FROM completed.mtjobs_renumbered AS n CROSS JOIN completed.mtjobs_runs AS m ON m.run_id = n.new_id
       WHERE n.table_name = 'runs' AND n.new_id = ? AND n.at >= m.changed_at ORDER BY n.at DESC LIMIT 1`,
    ).get(run.id),
  );
  return previousId === undefined ? run : { ...run, previousId };
}

import type { RunSelectors } from "../../../shared/area-db/match-run.ts";
import { noMatchText } from "../../../shared/area-db/no-match.ts";
import { prepared } from "../../../shared/sqlite/connection.ts";
import { idList, preparedIds } from "../../../shared/sqlite/ids.ts";
import type { RunId } from "../../../shared/sqlite/run-id.ts";
import type { JobSession } from "../session/job-session.ts";

/** Maximum number of ids in one warning. */
const named = 20;

/** Warns of requested ids without a run where the job reads, and says where known ones are. */
export async function warnOfUnknownIds(
  session: JobSession,
  requested: readonly RunId[] | undefined,
  where: "area" | "completed",
): Promise<void> {
  if (requested === undefined) return;
  const { tally } = session;
  const missing = await session.read(() => idsWithoutRun(session, requested, where));
  const file = where === "area" ? "megatest.db and its cache" : "completed-runs.db";
  const unknown: bigint[] = [];
  const elsewhere: bigint[] = [];
  for (const id of missing) {
    const now = await session.read(() => newIdOf(session, id));
    if (now !== undefined) tally.warn(`the run with id ${id} now has id ${now}: use that`);
    else if (await session.read(() => isOnTheOtherSide(session, id, where))) elsewhere.push(id);
    else unknown.push(id);
  }
  const other = where === "area" ? "completed-runs.db" : "megatest.db or its cache";
  if (elsewhere.length > 0) tally.warn(`already in ${other}, not in ${file}: ${listed(elsewhere)}`);
  if (unknown.length > 0) tally.warn(`no run in ${file} has these ids: ${listed(unknown)}`);
}

/** Warns if patterns match no run of a part that has runs, and describes its runs. */
export async function warnOfNoMatch(
  session: JobSession,
  selectors: RunSelectors,
  part: "cache" | "area" | "completed",
): Promise<void> {
  const { db, keys, tally } = session;
  const sentence = await session.read(() => noMatchText(db, `${part}.runs`, keys, selectors));
  if (sentence !== undefined) tally.warn(sentence);
}

function listed(ids: readonly bigint[]): string {
  const more = ids.length > named ? ` and ${ids.length - named} more` : "";
  return `${ids.slice(0, named).join(", ")}${more}`;
}

/** SQL: a visible run has the id `j.value` there. */
function hasRun({ fresh }: JobSession, where: "area" | "completed"): string {
  if (where === "completed")
    return "EXISTS (SELECT 1 FROM completed.mtjobs_runs AS m WHERE m.run_id = j.value)";
  const parts = fresh === "cache" ? ["cache", "area"] : ["area"];
  return parts
    .map(
      (part) =>
        `EXISTS (SELECT 1 FROM ${part}.runs AS r WHERE r.id = j.value AND coalesce(r.state, '') <> 'deleted')`,
    )
    .join(" OR ");
}

function idsWithoutRun(
  session: JobSession,
  requested: readonly RunId[],
  where: "area" | "completed",
): bigint[] {
  return preparedIds<[string]>(
    session.db,
    `SELECT DISTINCT j.value FROM json_each(?) AS j WHERE NOT (${hasRun(session, where)}) ORDER BY 1`,
  ).all(idList(requested));
}

function isOnTheOtherSide(session: JobSession, id: bigint, where: "area" | "completed"): boolean {
  const other = where === "area" ? "completed" : "area";
  const sql = `SELECT 1 FROM json_each(?) AS j WHERE ${hasRun(session, other)}`;
  return prepared<[string]>(session.db, sql).get(idList([id])) !== undefined;
}

/** Returns the latest id of the run that had this id; undefined if it kept it. */
function newIdOf({ db }: JobSession, id: bigint): bigint | undefined {
  const next = preparedIds<[bigint]>(
    db,
    `SELECT new_id FROM completed.mtjobs_renumbered WHERE table_name = 'runs' AND old_id = ? AND new_id > old_id
     ORDER BY at DESC, new_id DESC LIMIT 1`,
  );
  let last: bigint | undefined;
  // New ids are above every old one, so this ends.
  for (let now = next.get(id); now !== undefined; now = next.get(now)) last = now;
  return last;
}

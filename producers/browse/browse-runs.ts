import { matchRun, type RunSelectors } from "../../shared/area-db/match-run.ts";
import { JobsError } from "../../shared/errors.ts";
import { quoteName } from "../../shared/sqlite/connection.ts";
import { shownId } from "../../shared/sqlite/run-id.ts";
import type { BrowsedRun, RunsPage, SideName } from "../contract/runs.ts";
import type { Value } from "../full-db/parameters.ts";
import { BoundedList } from "./bounded.ts";
import { columnsOf, idChunks, type OpenedRuns, type Reading, readAll, withRuns } from "./reading.ts";
import { RowReader, secondsOrZero, startOf } from "./row-reader.ts";

/** Selects runs that match all members. Patterns are Megatest's. */
export interface BrowseRequest extends Omit<RunSelectors, "runId"> {
  /** Only runs that count there. */
  where?: SideName | undefined;
  /** Seconds since 1970: begun then or later; begun before. A run without a valid time matches neither. */
  since?: number | undefined;
  until?: number | undefined;
  /** From the page before. */
  cursor?: string | undefined;
  limit: number;
  count?: boolean | undefined;
}

/** The place of a run in the list, newest first: its time, then its id. Keys of runs that are gone remain places. */
type Place = readonly [begun: bigint, id: bigint];

const cursorPattern = /^(-?\d{1,19})\.(-?\d{1,19})$/;

/** @throws {JobsError} `usage` */
function placeOf(cursor: string): Place {
  const [, begun = "", id = ""] = cursorPattern.exec(cursor) ?? [];
  const place = [BigInt(begun), BigInt(id)] as const;
  if (begun !== "" && place.every((each) => BigInt.asIntN(64, each) === each)) return place;
  throw new JobsError("usage", "cursor: not one that this server gave", {
    hint: "pass the value of next of the page before",
  });
}

/**
 * Returns a page of the runs of both databases, newest first, without hidden ones.
 *
 * @param path absolute
 * @throws {JobsError} as `withRuns`; `usage` for a wrong cursor
 */
export async function browseRuns(path: string, request: BrowseRequest, reading: Reading): Promise<RunsPage> {
  return await withRuns(path, reading, (opened) => {
    const places = newest(opened, request);
    const list = new BoundedList<BrowsedRun>();
    let next: Place | undefined;
    const read = runReader(opened);
    for (const [index, place] of places.entries()) {
      const run = index < request.limit ? read(place[1]) : undefined;
      const isGone = index < request.limit && run === undefined;
      if (isGone) continue;
      if (run === undefined || !list.add(run)) {
        next = places[index - 1];
        break;
      }
    }
    return {
      area: opened.area,
      source: opened.source,
      runs: list.rows,
      next: next === undefined ? null : next.join("."),
      ...(request.count === true ? { counts: countRuns(opened, request) } : {}),
    };
  });
}

interface Matching {
  sql: string;
  parameters: Value[];
}

/** SQL: the runs of a range of ids (two parameters) that match, as `r`. */
function matching(
  { db, keys }: Pick<OpenedRuns, "db" | "keys">,
  request: Omit<BrowseRequest, "limit">,
): Matching {
  const { sql, parameters } = matchRun(keys, request);
  const terms = ["r.id BETWEEN ? AND ?", "coalesce(r.state, '') <> 'deleted'", sql];
  const values: Value[] = [...parameters];
  const completed = db.rule?.isCompleted("r.id") ?? "0";
  if (request.where !== undefined)
    terms.push(request.where === "completed-runs.db" ? completed : `NOT ${completed}`);
  const begun = secondsOrZero("r.event_time");
  if (request.since !== undefined || request.until !== undefined) terms.push(`${begun} <> 0`);
  if (request.since !== undefined) {
    terms.push(`${begun} >= ?`);
    values.push(request.since);
  }
  if (request.until !== undefined) {
    terms.push(`${begun} < ?`);
    values.push(request.until);
  }
  return { sql: terms.join(" AND "), parameters: values };
}

/** Returns the places of the newest runs that match, behind the cursor: one more than the page has. */
function newest(opened: OpenedRuns, request: BrowseRequest): Place[] {
  const { sql, parameters } = matching(opened, request);
  const after = request.cursor === undefined ? undefined : placeOf(request.cursor);
  const most = request.limit + 1;
  const statement = `SELECT begun, id FROM
    (SELECT ${secondsOrZero("r.event_time")} AS begun, r.id AS id FROM runs AS r WHERE ${sql})
    WHERE ${after === undefined ? "1" : "(begun, id) < (?, ?)"} ORDER BY begun DESC, id DESC LIMIT ${most}`;
  let found: Place[] = [];
  for (const [from, to] of idChunks(opened.db, { table: "runs" })) {
    const rows = readAll(opened.db, statement, from, to, ...parameters, ...(after ?? []));
    if (rows.length === 0) continue;
    found = [...found, ...rows.map(({ begun, id }) => [begun as bigint, id as bigint] as const)];
    found.sort(newestFirst);
    found.length = Math.min(found.length, most);
  }
  return found;
}

function newestFirst(a: Place, b: Place): number {
  if (a[0] !== b[0]) return a[0] < b[0] ? 1 : -1;
  return a[1] < b[1] ? 1 : a[1] > b[1] ? -1 : 0;
}

/** Counts the runs that match, by the database in which they count. */
export function countRuns(
  opened: Pick<OpenedRuns, "db" | "keys">,
  request: Omit<BrowseRequest, "limit">,
): Record<SideName, number> {
  const { sql, parameters } = matching(opened, request);
  const completed = opened.db.rule?.isCompleted("r.id") ?? "0";
  const statement = `SELECT count(*) AS runs, coalesce(sum(${completed}), 0) AS moved FROM runs AS r WHERE ${sql}`;
  const counts = { "megatest.db": 0, "completed-runs.db": 0 };
  for (const [from, to] of idChunks(opened.db, { table: "runs" })) {
    const [row] = readAll(opened.db, statement, from, to, ...parameters);
    counts["completed-runs.db"] += Number(row?.moved ?? 0);
    counts["megatest.db"] += Number(row?.runs ?? 0) - Number(row?.moved ?? 0);
  }
  return counts;
}

const runFields = ["runname", "state", "status", "owner", "comment", "contour"];

/** Returns a function that reads one run by its id; undefined if there is none, or if it is hidden. */
export function runRowReader({ db, keys }: OpenedRuns): (id: bigint) => RowReader | undefined {
  const columns = columnsOf(db, "runs");
  const fields = [...runFields, ...keys].filter((field) => columns.has(field));
  const lastUpdate = columns.has("last_update") ? secondsOrZero("r.last_update") : "0";
  const statement = `SELECT r.id AS id, ${fields.map((field) => `${startOf(field)} AS ${quoteName(field)}`).join(", ")},
      ${secondsOrZero("r.event_time")} AS mtjobs_begun, ${lastUpdate} AS mtjobs_updated,
      ${db.rule?.isCompleted("r.id") ?? "0"} AS mtjobs_completed
    FROM runs AS r WHERE r.id = ? AND coalesce(r.state, '') <> 'deleted'`;
  return (id) => {
    const [row] = readAll(db, statement, id);
    return row === undefined ? undefined : new RowReader(row);
  };
}

export function browsedRun(row: RowReader, keys: readonly string[]): BrowsedRun {
  return {
    id: shownId(row.id),
    target: row.joined(keys, "target"),
    runname: row.name("runname") ?? "",
    state: row.text("state"),
    status: row.text("status"),
    owner: row.text("owner"),
    comment: row.text("comment"),
    begunAt: row.seconds("mtjobs_begun"),
    where: row.plainNumber("mtjobs_completed") === 1 ? "completed-runs.db" : "megatest.db",
    ...row.cut,
  };
}

function runReader(opened: OpenedRuns): (id: bigint) => BrowsedRun | undefined {
  const read = runRowReader(opened);
  return (id) => {
    const row = read(id);
    return row === undefined ? undefined : browsedRun(row, opened.keys);
  };
}

import type { Connection } from "../sqlite/connection.ts";
import { type RunSelectors, targetSql } from "./match-run.ts";

const named = 5;

const options: Record<Exclude<keyof RunSelectors, "runId">, string> = {
  target: "--target",
  runname: "--runname",
  state: "--state",
  status: "--status",
};

/**
 * Describes patterns that match no run, with recent values; undefined if only `%` was given or there is no run.
 *
 * @param keys the target keys that are columns of `table`
 */
export function noMatchText(
  db: Connection,
  table: string,
  keys: readonly string[],
  chosen: RunSelectors,
): string | undefined {
  const given = Object.entries(options).flatMap(([name, option]) => {
    const pattern = chosen[name as keyof typeof options];
    return pattern === undefined || pattern === "%" ? [] : [`${option} ${pattern}`];
  });
  if (given.length === 0) return undefined;
  const values = (sql: string) =>
    db
      .prepare<[], string>(
        `SELECT value FROM (SELECT ${sql} AS value, r.id AS id FROM ${table} AS r
           WHERE coalesce(r.state, '') <> 'deleted' ORDER BY r.id DESC LIMIT 10000)
         GROUP BY value ORDER BY max(id) DESC LIMIT ${named}`,
      )
      .pluck()
      .all()
      .join(", ");
  const names = values("coalesce(r.runname, '')");
  if (names === "") return undefined;
  return `no run matches ${given.join(" and ")}; the newest runs here have targets ${values(targetSql(keys, "r"))}; names ${names}; states ${values("coalesce(r.state, '')")}; statuses ${values("coalesce(r.status, '')")}`;
}

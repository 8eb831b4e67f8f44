import { type Connection, type Part, quoteName } from "../sqlite/connection.ts";
import { NameSet } from "../sqlite/names.ts";
import { columnNames, hasTable } from "../sqlite/table.ts";
import { gapName, guardName, noTest, notNamed } from "./hidden-row-names.ts";

type PairPart = "cache" | "ref";

/**
 * Returns the part of a cache pair that belongs to another area: it shares no run (target, name and start time) with
 * megatest.db or completed-runs.db, nor the guards of ids. These are not evidence:
 *
 * - a cache or megatest.db without runs, or only with runs being moved;
 * - a cache with only new, unsynced runs: its ref still knows older ones, or megatest.db has no run.
 *
 * The ref is stronger evidence: all its rows were in megatest.db.
 *
 * @param parts the attached parts, including `area`
 */
export function findForeignPart(
  db: Connection,
  keys: readonly string[],
  parts: readonly Part[],
): PairPart | undefined {
  const there = withRuns(db, parts);
  const comparison = new Comparison(db, keys, there);
  const inArea = there.includes("area") && comparison.hasOwnRuns();
  const isKnown = inArea || comparison.hasRuns("completed");
  const inRef = comparison.hasRuns("ref");
  const refShares = inRef && comparison.shares("ref");
  if (inRef && isKnown && !refShares) return "ref";
  if (refShares || !inArea || !comparison.hasRuns("cache")) return undefined;
  return comparison.shares("cache") ? undefined : "cache";
}

/**
 * Returns true if another cache, or its ref, attached as `part`, may be this area's: it shares a run, under any id, or
 * the guards of ids.
 */
export function sharesRun(
  db: Connection,
  keys: readonly string[],
  parts: readonly Part[],
  part: PairPart,
): boolean {
  const comparison = new Comparison(db, keys, withRuns(db, parts));
  return comparison.hasRuns(part) && (comparison.shares(part) || comparison.sharesRunByName(part));
}

/** Skips other databases, which are reported when they are opened for work. */
function withRuns(db: Connection, parts: readonly Part[]): Part[] {
  return parts.filter((part) => {
    const columns = columnNames(db, part, "runs");
    return columns.includes("id") && columns.includes("runname");
  });
}

const real = notNamed("runs", "x", guardName, gapName) ?? "1";

/** Every area has these, but only databases of one area have the same ids in all these tables. */
const guards = [
  ["runs", "x.runname = :name"],
  ["tests", "x.run_id = (SELECT max(id) FROM area.runs WHERE runname = :name) AND x.testname = :name"],
  ["test_data", `(x.test_id IS NULL OR x.test_id = ${noTest}) AND x.variable = :name`],
] as const;

class Comparison {
  readonly #db: Connection;
  readonly #keys: readonly string[];
  readonly #parts: readonly Part[];

  constructor(db: Connection, keys: readonly string[], parts: readonly Part[]) {
    this.#db = db;
    this.#keys = keys;
    this.#parts = parts;
  }

  hasRuns(part: Part): boolean {
    return this.#parts.includes(part) && this.#is(`SELECT 1 FROM ${part}.runs AS x WHERE ${real}`);
  }

  /** Ignores runs that are in both, which are being moved. */
  hasOwnRuns(): boolean {
    if (!this.#parts.includes("completed")) return this.hasRuns("area");
    return this.#is(`SELECT 1 FROM area.runs AS x WHERE ${real} AND NOT EXISTS
      (SELECT 1 FROM completed.runs AS o WHERE o.runname = x.runname AND ${this.#same("area", "completed")})`);
  }

  shares(part: PairPart): boolean {
    // It may have another id there, where its name is indexed.
    const [byId, byName] = ["o.id = x.id", "o.runname = x.runname"];
    return (
      this.#sharesRun(part, "area", byId) ||
      this.#sharesRun(part, "completed", byName) ||
      this.#sharesGuards(part)
    );
  }

  /** Ignores the id, which a restore may have changed. */
  sharesRunByName(part: PairPart): boolean {
    return this.#sharesRun(part, "area", "o.runname = x.runname");
  }

  #sharesRun(part: PairPart, other: "area" | "completed", joined: string): boolean {
    if (!this.#parts.includes(other)) return false;
    return this.#is(`SELECT 1 FROM ${part}.runs AS x CROSS JOIN ${other}.runs AS o ON ${joined}
      WHERE ${real} AND ${this.#same(part, other)}`);
  }

  #sharesGuards(part: PairPart): boolean {
    return guards.every(
      ([table, isGuard]) =>
        hasTable(this.#db, part, table) &&
        hasTable(this.#db, "area", table) &&
        this.#is(
          `SELECT 1 FROM ${part}.${table} AS x WHERE ${isGuard}
           AND EXISTS (SELECT 1 FROM area.${table} AS o WHERE o.id = x.id AND ${isGuard.replaceAll("x.", "o.")})`,
          { name: guardName },
        ),
    );
  }

  /** SQL: runs `o` of `other` and `x` of `part` have the same name and start time. */
  #same(part: Part, other: Part): string {
    const here = new NameSet(columnNames(this.#db, part, "runs"));
    const there = new NameSet(columnNames(this.#db, other, "runs"));
    return ["runname", ...this.#keys, "event_time"]
      .filter((name) => there.has(name) && here.has(name))
      .map((name) => `o.${quoteName(name)} IS x.${quoteName(name)}`)
      .join(" AND ");
  }

  #is(select: string, parameters: Record<string, string> = {}): boolean {
    return this.#db.prepare<[object], number>(`SELECT EXISTS (${select})`).pluck().get(parameters) === 1;
  }
}

import { gapName, guardName, noTest, notNamed } from "../id-guard-name.ts";
import { type Connection, type Part, quoteName } from "./connection.ts";
import { NameSet } from "./names.ts";
import { columnNames, hasTable } from "./table.ts";

type PairPart = "cache" | "ref";

/**
 * Which part of a cache pair is another area's, by the runs in it: it has none in common (target, name and beginning)
 * with megatest.db or completed-runs.db, nor the guards of ids. Undefined where nothing speaks for that. So much is no
 * sign of it:
 *
 * - a cache or a megatest.db without a run, or with such alone as are moving just now;
 * - a cache with new runs alone, which no sync has carried yet, where all older ones have moved or were removed from it:
 *   its ref still knows some of those, or megatest.db has no run.
 *
 * The ref can be asked for more: all that is in it was in megatest.db, too.
 *
 * @param parts those that are attached, `area` among them
 */
export function findStrangePart(
  db: Connection,
  keys: readonly string[],
  parts: readonly Part[],
): PairPart | undefined {
  const there = withRuns(db, parts);
  const look = new Comparison(db, keys, there);
  const inArea = there.includes("area") && look.hasOwnRuns();
  const isKnown = inArea || look.hasRuns("completed");
  const inRef = look.hasRuns("ref");
  const refShares = inRef && look.shares("ref");
  if (inRef && isKnown && !refShares) return "ref";
  if (refShares || !inArea || !look.hasRuns("cache")) return undefined;
  return look.shares("cache") ? undefined : "cache";
}

/**
 * Whether another cache, attached as `cache`, may be this area's: it has a run in common with megatest.db or
 * completed-runs.db, by whatever id, or the guards of ids.
 */
export function sharesRun(db: Connection, keys: readonly string[], parts: readonly Part[]): boolean {
  const look = new Comparison(db, keys, withRuns(db, parts));
  return look.hasRuns("cache") && (look.shares("cache") || look.sharesRunByName("cache"));
}

/** Without these columns it is no database of Megatest's, which is said by whoever opens it to work on it. */
function withRuns(db: Connection, parts: readonly Part[]): Part[] {
  return parts.filter((part) => {
    const columns = columnNames(db, part, "runs");
    return columns.includes("id") && columns.includes("runname");
  });
}

const real = notNamed("runs", "x", guardName, gapName) ?? "1";

/**
 * Rows that guard ids, by table, and how an index finds them. Each area has the like; that those of two have the same ids in
 * each of these tables has one reason alone.
 */
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

  /** True where megatest.db has a run that is not in completed-runs.db: one that is in both is being moved. */
  hasOwnRuns(): boolean {
    if (!this.#parts.includes("completed")) return this.hasRuns("area");
    return this.#is(`SELECT 1 FROM area.runs AS x WHERE ${real} AND NOT EXISTS
      (SELECT 1 FROM completed.runs AS o WHERE o.runname = x.runname AND ${this.#same("area", "completed")})`);
  }

  shares(part: PairPart): boolean {
    // In completed-runs.db a run may have got another id; there its name has an index.
    const [byId, byName] = ["o.id = x.id", "o.runname = x.runname"];
    return (
      this.#sharesRun(part, "area", byId) ||
      this.#sharesRun(part, "completed", byName) ||
      this.#sharesGuards(part)
    );
  }

  /** A run of megatest.db's by its name alone: a restore may have given it another id. */
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

  /** SQL: `o`, a run of `other`, has the name of `x`, one of `part`, and began with it. */
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

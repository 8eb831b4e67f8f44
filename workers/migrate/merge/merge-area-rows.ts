import { areaTables } from "../../../shared/area-db/record-tables.ts";
import { prepared, quoteName, quoteText } from "../../../shared/sqlite/connection.ts";
import { idList, preparedIds } from "../../../shared/sqlite/ids.ts";
import { NameSet } from "../../../shared/sqlite/names.ts";
import { columnNames, hasTable, rowidName } from "../../../shared/sqlite/table.ts";
import { withSyncTriggers } from "../../../shared/sqlite/triggers.ts";
import type { AreaSession } from "../../records/area-session.ts";
import { columnList, rowLiteral, sameRow } from "../../records/row-sql.ts";
import { commitSuperseded } from "../../records/superseded.ts";
import { clearTempTables } from "../../records/temp-tables.ts";
import type { DivergentFiles } from "./match-rows.ts";

type Compared = Pick<DivergentFiles, "base" | "own">;

/** Merges the area's own rows of a divergent cache, by the rules of mergeCache. */
export async function mergeAreaRows(
  session: AreaSession,
  files: Compared,
): Promise<{ merged: number; kept: number }> {
  const total = { merged: 0, kept: 0 };
  for (const [table, names] of Object.entries(areaTables)) {
    const rows = await session.read(() =>
      ["stray", "cache"].every((part) => hasTable(session.db, part, table))
        ? new AreaRows(session, table, names, files)
        : undefined,
    );
    if (rows === undefined) continue;
    const { merged, kept } = await rows.settle();
    total.merged += merged;
    total.kept += kept;
  }
  return total;
}

class AreaRows {
  readonly #session: AreaSession;
  readonly #table: string;
  readonly #synced: boolean;
  /** See `rowidName`. */
  readonly #rowid: string;
  readonly #named: (a: string, b: string) => string;
  /** Common columns of both caches, without the id. */
  readonly #columns: readonly string[];
  /** Those also in the base; undefined without one. */
  readonly #inBase: readonly string[] | undefined;
  /** Those also in its own ref; null without one, undefined if that is the base. */
  readonly #inOwn: readonly string[] | null | undefined;

  constructor(session: AreaSession, table: string, names: readonly string[], files: Compared) {
    this.#session = session;
    this.#table = table;
    this.#synced = names.length > 0;
    const matched = this.#synced ? names : ["id"];
    this.#named = (a, b) => matched.map((n) => `${a}.${quoteName(n)} IS ${b}.${quoteName(n)}`).join(" AND ");
    const ofHome = columnNames(session.db, "cache", table).filter((name) => name !== "id");
    this.#columns = this.#commonWith("stray", ofHome);
    const parts = ["stray", "cache", "area", "ref"].filter((part) => hasTable(session.db, part, table));
    this.#rowid = rowidName(parts.flatMap((part) => columnNames(session.db, part, table)));
    // The ref lacks tables that never sync.
    const common = (name: "base" | "own") =>
      files[name] != null && this.#synced && hasTable(session.db, name, table)
        ? this.#commonWith(name, this.#inBase ?? this.#columns)
        : null;
    this.#inBase = common("base") ?? undefined;
    this.#inOwn = files.own === undefined ? undefined : common("own");
  }

  #commonWith(part: string, columns: readonly string[]): readonly string[] {
    const there = new NameSet(columnNames(this.#session.db, part, this.#table));
    return columns.filter((name) => there.has(name));
  }

  async settle(): Promise<{ merged: number; kept: number }> {
    const { db } = this.#session;
    const differing = `SELECT s.${this.#rowid} FROM stray.${this.#table} AS s WHERE NOT EXISTS (SELECT 1
      FROM cache.${this.#table} AS x WHERE ${this.#named("x", "s")} AND ${sameRow("x", "s", this.#columns)})`;
    const ids = await this.#session.read(() => preparedIds<[]>(db, differing).all());
    if (ids.length === 0) return { merged: 0, kept: 0 };
    // First: once merged, any sync copies them.
    if (this.#synced) await this.#keepDisplaced("stray", ids);
    const homes = await this.#session.read(() => {
      clearTempTables(db, "superseded");
      return this.#session.commitOnce("cache", () =>
        withSyncTriggers(db, "cache", () => ids.map((id) => this.#apply(id))),
      );
    });
    const done = homes.filter((home) => home !== undefined);
    const kept = done.filter(({ isKept }) => isKept).length;
    if (kept > 0) await commitSuperseded(this.#session);
    // Also unchanged rows: the divergent cache's sync may have overwritten them in megatest.db.
    const carried = done.map(({ home }) => home);
    const displaced = this.#synced && carried.length > 0 ? await this.#carry(carried) : 0;
    return { merged: done.length - kept, kept: kept + displaced };
  }

  /** Returns the row's rowid at home; undefined if nothing was needed. */
  #apply(id: bigint): { home: bigint; isKept: boolean } | undefined {
    const base = this.#inBase === undefined ? undefined : this.#find("base", id);
    if (base !== undefined && this.#isSame("base", base, "stray", id)) return undefined;
    const home = this.#find("cache", id);
    if (home === undefined) return { home: this.#insert(id), isKept: false };
    const reason = this.#whyKept(id, base, home);
    if (reason !== undefined) {
      this.#keep(id, reason);
      return { home, isKept: true };
    }
    const columns = columnList(this.#columns);
    prepared<[bigint, bigint]>(
      this.#session.db,
      `UPDATE cache.${this.#table} SET (${columns}) =
         (SELECT ${columns} FROM stray.${this.#table} WHERE ${this.#rowid} = ?) WHERE ${this.#rowid} = ?`,
    ).run(id, home);
    return { home, isKept: false };
  }

  /** Returns undefined if the home takes the row's values. */
  #whyKept(id: bigint, base: bigint | undefined, home: bigint): string | undefined {
    if (!this.#synced) return "its id belongs to another row at home";
    if (base === undefined || !this.#isSame("base", base, "cache", home)) return "changed at home too";
    return this.#isNewer(id, base) ? undefined : "megatest.db already had another value";
  }

  #isNewer(id: bigint, base: bigint): boolean {
    const columns = this.#inOwn;
    if (columns == null) return columns === undefined;
    const own = this.#find("own", id);
    if (own === undefined) return false;
    if (this.#isSame("base", base, "own", own, columns)) return true;
    if (!hasTable(this.#session.db, "area", this.#table)) return false;
    const area = this.#find("area", id);
    return area !== undefined && this.#isSame("own", own, "area", area, this.#commonWith("area", columns));
  }

  #find(part: "cache" | "base" | "own" | "area", id: bigint): bigint | undefined {
    const named = this.#named("x", "s");
    const sql = `SELECT x.${this.#rowid} FROM stray.${this.#table} AS s CROSS JOIN ${part}.${this.#table} AS x ON ${named}
      WHERE s.${this.#rowid} = ?`;
    return preparedIds<[bigint]>(this.#session.db, sql).get(id);
  }

  #isSame(a: string, idA: bigint, b: string, idB: bigint, columns = this.#inBase ?? []): boolean {
    const sql = `SELECT ${sameRow("x", "y", columns)}
      FROM ${a}.${this.#table} AS x, ${b}.${this.#table} AS y WHERE x.${this.#rowid} = ? AND y.${this.#rowid} = ?`;
    return prepared<[bigint, bigint], number>(this.#session.db, sql).pluck().get(idA, idB) === 1;
  }

  /** Keeps the row's id if that is free. */
  #insert(id: bigint): bigint {
    const { db } = this.#session;
    const columns = columnList(this.#columns);
    const free = `(SELECT CASE WHEN EXISTS (SELECT 1 FROM cache.${this.#table} WHERE ${this.#rowid} = s.${this.#rowid})
      THEN NULL ELSE s.${this.#rowid} END)`;
    const { lastInsertRowid } = prepared<[bigint]>(
      db,
      `INSERT INTO cache.${this.#table} (${this.#rowid}, ${columns})
       SELECT ${free}, ${columns} FROM stray.${this.#table} AS s WHERE s.${this.#rowid} = ?`,
    )
      .safeIntegers()
      .run(id);
    return BigInt(lastInsertRowid);
  }

  #keep(id: bigint, reason: string): void {
    const { db } = this.#session;
    const columns = columnNames(db, "stray", this.#table);
    prepared<[bigint, string, string, bigint]>(
      db,
      `INSERT INTO temp.superseded (table_name, row_id, source, reason, columns, row, carried)
       SELECT ${quoteText(this.#table)}, ?, 'stray', ?, ?, ${rowLiteral("s", columns)}, ${rowLiteral("s", this.#columns)}
       FROM stray.${this.#table} AS s WHERE s.${this.#rowid} = ?`,
    ).run(id, reason, JSON.stringify(columns), id);
  }

  /**
   * Copies rows in the order of Megatest's sync.
   *
   * @returns the number of rows of megatest.db kept aside
   */
  async #carry(rows: readonly bigint[]): Promise<number> {
    const { sources } = this.#session;
    const attempt = (part: "area" | "ref") => this.#session.read(() => this.#write(part, rows));
    let displaced = 0;
    if (hasTable(this.#session.db, "area", this.#table)) {
      // A concurrent sync wrote another version.
      do displaced += await this.#keepDisplaced("cache", rows);
      while (!(await attempt("area")));
    }
    if (sources.includes("ref") && hasTable(this.#session.db, "ref", this.#table)) await attempt("ref");
    return displaced;
  }

  /** Returns false, with nothing changed, if a row to be replaced is not kept yet. */
  #write(part: "area" | "ref", rows: readonly bigint[]): boolean {
    const { db } = this.#session;
    const columns = columnList(this.#commonWith(part, this.#columns));
    return this.#session.commitOnce(part, () => {
      if (part === "area" && this.#noteDisplaced("cache", rows) > 0) return false;
      withSyncTriggers(db, part, () =>
        prepared<[string]>(
          db,
          `INSERT OR REPLACE INTO ${part}.${this.#table} (${this.#rowid}, ${columns}) SELECT ${this.#rowid}, ${columns}
           FROM cache.${this.#table} WHERE ${this.#rowid} IN (SELECT value FROM json_each(?))`,
        ).run(idList(rows)),
      );
      return true;
    });
  }

  /** Keeps rows that exist only in megatest.db and that `part` will replace. */
  async #keepDisplaced(part: "stray" | "cache", rows: readonly bigint[]): Promise<number> {
    if (!hasTable(this.#session.db, "area", this.#table)) return 0;
    clearTempTables(this.#session.db, "superseded");
    const noted = await this.#session.read(() => this.#noteDisplaced(part, rows));
    if (noted > 0) await commitSuperseded(this.#session);
    return noted;
  }

  /** Adds them to `temp.superseded`; returns how many were new. */
  #noteDisplaced(part: "stray" | "cache", rows: readonly bigint[]): number {
    const { db, sources } = this.#session;
    const columns = this.#commonWith("area", this.#columns);
    const knownIn = ["cache", "stray", ...(this.#inBase === undefined ? [] : ["base"])];
    if (sources.includes("ref") && hasTable(db, "ref", this.#table)) knownIn.push("ref");
    const isUnknown = knownIn.map(
      (other) => `NOT EXISTS (SELECT 1 FROM ${other}.${this.#table} AS x WHERE ${this.#named("x", "s")}
        AND ${sameRow("x", "s", this.#commonWith(other, columns))})`,
    );
    const all = columnNames(db, "area", this.#table);
    const row = rowLiteral("s", all);
    return prepared<{ all: string; rows: string }>(
      db,
      `INSERT INTO temp.superseded (table_name, row_id, source, reason, columns, row, carried)
       SELECT ${quoteText(this.#table)}, s.${this.#rowid}, 'area', 'only megatest.db had it', :all, ${row}, ${rowLiteral("s", columns)}
       FROM area.${this.#table} AS s WHERE (s.${this.#rowid} IN (SELECT value FROM json_each(:rows))
         OR EXISTS (SELECT 1 FROM json_each(:rows) AS j CROSS JOIN ${part}.${this.#table} AS x ON x.${this.#rowid} = j.value
           WHERE ${this.#named("x", "s")})) AND ${isUnknown.join(" AND ")}
         AND NOT EXISTS (SELECT 1 FROM temp.superseded AS l WHERE l.row_id = s.${this.#rowid} AND l.row = ${row})`,
    ).run({ all: JSON.stringify(all), rows: idList(rows) }).changes;
  }
}

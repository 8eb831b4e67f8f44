import { lstatSync } from "node:fs";
import { JobsError } from "../../shared/errors.ts";
import { gapName, guardName, notNamed } from "../../shared/id-guard-name.ts";
import type { MovedTable } from "../../shared/record-tables.ts";
import { type Connection, prepared, quoteName, quoteText } from "../../shared/sqlite/connection.ts";
import { preparedIds } from "../../shared/sqlite/ids.ts";
import { NameSet } from "../../shared/sqlite/names.ts";
import { sameRow } from "../../shared/sqlite/row-sql.ts";
import { columnNames, hasTable } from "../../shared/sqlite/table.ts";
import type { Move } from "../move/move.ts";
import type { RecordPlan } from "../move/record-tables.ts";

/** Copies in the area that are merged. */
export interface StrayFiles {
  stray: string;
  /** What it began with: its ref's copy, or megatest.db as a take-over found it; undefined where there is none. */
  base: string | undefined;
  /** Where it is not the base: its ref's copy, what it had synced. Null where it has none: no row tells how old it is then. */
  own?: string | null | undefined;
}

/**
 * Files attached beside those of the area, each under the name it has here. They must exist, and what they say in their
 * schemas is not run.
 *
 * @throws JobsError `conflict` where something lies beside one: they were copied whole, and no journal is theirs
 */
export function attachStray(db: Connection, { stray, base, own }: StrayFiles): () => void {
  const files = Object.entries({ stray, base, own }).flatMap(([name, file]) =>
    file == null ? [] : [{ name, file }],
  );
  for (const { file } of files) assertAlone(file);
  db.pragma("trusted_schema = OFF");
  for (const { name, file } of files) db.prepare(`ATTACH ? AS ${name}`).run(file);
  return () => {
    for (const { name } of files) db.exec(`DETACH ${name}`);
    db.pragma("trusted_schema = ON");
  };
}

function assertAlone(file: string): void {
  for (const suffix of ["-journal", "-wal"]) {
    if (lstatSync(file + suffix, { throwIfNoEntry: false }) === undefined) continue;
    throw new JobsError(
      "conflict",
      `${file}${suffix} must not exist: the copy of the cache beside it is complete`,
      {
        hint: "check who created it and what it points to before removing it",
      },
    );
  }
}

/** What to do with a row of a stray. */
export type Verdict =
  /** It is at home, or nothing changed. */
  | { does: "nothing" }
  /** Not at home: goes there, below that parent. */
  | { does: "insert"; parent: bigint | null }
  /** At home as it was when the stray began: takes the stray's values. */
  | { does: "update"; home: bigint }
  /** Changed at both, or its run or test is not at home: stays aside. */
  | { does: "keep"; home: bigint | null; reason: string };

const nothing: Verdict = { does: "nothing" };

/** How one table's rows of a stray are matched with those at home: by what names them, never by an id alone. */
export class StrayMatch {
  readonly #db: Connection;
  readonly #record: RecordPlan;
  readonly #names: readonly string[];
  readonly #values: readonly string[];
  readonly #hasBase: boolean;
  /** Those of them that its own ref has too; null where there is none, undefined where that is the base. */
  readonly #inOwn: readonly string[] | null | undefined;
  readonly #parents: ParentIds;

  constructor(move: Move, record: RecordPlan, parents: ParentIds, files: StrayFiles) {
    this.#db = move.db;
    this.#record = record;
    this.#parents = parents;
    this.#names = namesOf(record).filter((name) => name !== record.parent);
    // The ref knows nothing of tables that never sync.
    const has = (name: "base" | "own") =>
      files[name] != null && record.synced && hasTable(move.db, name, record.table);
    this.#hasBase = has("base");
    const base = this.#hasBase ? new NameSet(columnNames(move.db, "base", record.table)) : undefined;
    this.#values = strayColumns(move, record).filter((name) => base?.has(name) ?? true);
    const own = has("own") ? new NameSet(columnNames(move.db, "own", record.table)) : null;
    this.#inOwn = files.own === undefined ? undefined : own && this.#values.filter((name) => own.has(name));
  }

  /** SQL: ids of stray rows from `:from` on that the home's cache does not have just so, or that changed since the stray began. */
  candidates(limit: number): string {
    const { table, parent } = this.#record;
    const columns = parent === null ? this.#values : [parent, ...this.#values];
    const same = (part: string) =>
      `EXISTS (SELECT 1 FROM ${part}.${table} AS x WHERE x.id = s.id AND ${sameRow("x", "s", columns)})`;
    const changed = this.#hasBase ? `(NOT ${same("base")} OR NOT ${same("cache")})` : `NOT ${same("cache")}`;
    return `SELECT s.id FROM stray.${table} AS s WHERE s.id >= :from AND ${changed}
      AND ${notNamed(table, "s", guardName, gapName) ?? "1"} ORDER BY s.id LIMIT ${limit}`;
  }

  judge(id: bigint): Verdict {
    const base = this.#hasBase ? this.#find("base", id, "same") : undefined;
    const unchanged = base !== undefined && this.#same("base", base, "stray", id);
    const parent = this.#parents.of(this.#record, id);
    if (parent === undefined) {
      return unchanged || this.#isMoved(id)
        ? nothing
        : { does: "keep", home: null, reason: "its run or test is not at home" };
    }
    const home = this.#find("cache", id, parent);
    if (home === undefined) return this.#judgeMissing(id, parent, unchanged);
    // What the stray's sync brought to megatest.db is settled from there.
    if (unchanged || this.#same("cache", home, "stray", id)) return nothing;
    if (base === undefined || !this.#same("cache", home, "base", base))
      return { does: "keep", home, reason: "changed at home too" };
    return this.#isNewer(id, base, parent)
      ? { does: "update", home }
      : { does: "keep", home, reason: "megatest.db already had another value" };
  }

  /**
   * True where what a stray's row differs by from the base is later than that: its own ref has it as the base does, or the
   * stray's sync was the last to write it to megatest.db. A row that was another one there before may be older than the base.
   */
  #isNewer(id: bigint, base: bigint, parent: bigint | null): boolean {
    const columns = this.#inOwn;
    if (columns == null) return columns === undefined;
    const own = this.#find("own", id, "same");
    if (own === undefined) return false;
    if (this.#same("own", own, "base", base, columns)) return true;
    const area = this.#find("area", id, parent);
    const there = this.#record.columnsIn("area");
    const common = columns.filter((name) => there.includes(name));
    return area !== undefined && this.#same("own", own, "area", area, common);
  }

  #judgeMissing(id: bigint, parent: bigint | null, unchanged: boolean): Verdict {
    // Deleted or moved at home; where the stray's sync brought it to megatest.db it is there.
    if (unchanged && this.#find("area", id, "same") !== id) return nothing;
    return this.#record.table === "runs" && this.#find("completed", id, null) !== undefined
      ? { does: "keep", home: null, reason: "a run of that name has moved to completed-runs.db" }
      : { does: "insert", parent };
  }

  /** True where it is in completed-runs.db just so. */
  #isMoved(id: bigint): boolean {
    const moved = this.#find("completed", id, "same");
    return moved !== undefined && this.#same("completed", moved, "stray", id);
  }

  /** The id of the row in `part` that has the stray row's name, below `parent`; `same`: below the stray row's own. */
  #find(part: string, id: bigint, parent: bigint | null | "same"): bigint | undefined {
    const { table, parent: column, synced } = this.#record;
    const above = parent === "same" ? `s.${column}` : ":parent";
    const named = this.#names.map((name) => `x.${quoteName(name)} IS s.${quoteName(name)}`);
    // A table without an index on its parent was looked over once: see mapChildren.
    const mapped = part === "cache" && !synced && !this.#record.indexedIn("cache");
    const rows = mapped
      ? `temp.children AS k ON k.part = 'cache' AND k.table_name = ${quoteText(table)} AND k.parent = ${above}
         CROSS JOIN cache.${table} AS x ON x.id = k.id`
      : `${part}.${table} AS x ON ${column === null ? "1" : `x.${column} IS ${above}`}`;
    return preparedIds<{ id: bigint; parent: bigint | null }>(
      this.#db,
      `SELECT x.id FROM stray.${table} AS s CROSS JOIN ${rows} WHERE ${[...named, "s.id = :id"].join(" AND ")}`,
    ).get({ id, parent: parent === "same" ? null : parent });
  }

  #same(a: string, idA: bigint, b: string, idB: bigint, values = this.#values): boolean {
    const { table } = this.#record;
    return (
      prepared<[bigint, bigint], number>(
        this.#db,
        `SELECT ${sameRow("x", "y", values)} FROM ${a}.${table} AS x, ${b}.${table} AS y WHERE x.id = ? AND y.id = ?`,
      )
        .pluck()
        .get(idA, idB) === 1
    );
  }
}

/** Which row at home a run or test of a stray is; remembered for as long as nobody else can write to the home's cache. */
export class ParentIds {
  readonly #db: Connection;
  readonly #records: readonly RecordPlan[];
  readonly #known = new Map<string, bigint | undefined>();

  constructor({ db, records }: Pick<Move, "db" | "records">) {
    this.#db = db;
    this.#records = records;
  }

  /** Call under each lock anew: before it a client of the home may have written, and a try that rolled back brought nothing. */
  forget(): void {
    this.#known.clear();
  }

  /** The home's id of the parent of a stray row; null for a run; undefined where the parent is not at home. */
  of({ table, parent }: RecordPlan, id: bigint): bigint | null | undefined {
    if (parent === null) return null;
    const above = preparedIds<[bigint], bigint | null>(
      this.#db,
      `SELECT ${parent} FROM stray.${table} WHERE id = ?`,
    ).get(id);
    return above == null ? undefined : this.#homeOf(parent === "run_id" ? "runs" : "tests", above);
  }

  #homeOf(table: "runs" | "tests", id: bigint): bigint | undefined {
    const key = `${table} ${id}`;
    if (!this.#known.has(key)) this.#known.set(key, this.#look(table, id));
    return this.#known.get(key);
  }

  #look(table: "runs" | "tests", id: bigint): bigint | undefined {
    const record = this.#records.find((candidate) => candidate.table === table);
    if (record === undefined) return undefined;
    const above = this.of(record, id);
    if (above === undefined) return undefined;
    const named = namesOf(record)
      .filter((name) => name !== record.parent)
      .map((name) => `x.${quoteName(name)} IS s.${quoteName(name)}`);
    const below = record.parent === null ? "1" : `x.${record.parent} IS :above`;
    return preparedIds<{ id: bigint; above: bigint | null }>(
      this.#db,
      `SELECT x.id FROM stray.${table} AS s CROSS JOIN cache.${table} AS x ON ${[below, ...named].join(" AND ")}
       WHERE s.id = :id`,
    ).get({ id, above });
  }
}

/** Columns of a table that never syncs which name a row below its parent; none: all that it holds. */
const unsyncedNames: Partial<Record<MovedTable, readonly string[]>> = {
  run_stats: ["state", "status"],
  extradat: ["key"],
};

function namesOf(record: RecordPlan): readonly string[] {
  if (record.synced) return record.naturalKey;
  const here = record.columnsIn("cache").filter((name) => name !== "id" && name !== "last_update");
  return unsyncedNames[record.table]?.filter((name) => here.includes(name)) ?? here;
}

/** Columns that say what a row of a stray holds: neither its id, nor whose it is, nor when a copy was made. */
export function strayColumns({ db }: Pick<Move, "db">, record: RecordPlan): string[] {
  const there = new NameSet(columnNames(db, "stray", record.table));
  const says = (name: string) => there.has(name) && !["id", "last_update", record.parent].includes(name);
  return record.columnsIn("cache").filter(says);
}

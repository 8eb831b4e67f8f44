import { gapName, guardName, notNamed } from "../../../shared/area-db/hidden-row-names.ts";
import { areaTables, type MovedTable } from "../../../shared/area-db/record-tables.ts";
import { JobsError } from "../../../shared/errors.ts";
import {
  type Connection,
  noteAttached,
  prepared,
  quoteName,
  quoteText,
} from "../../../shared/sqlite/connection.ts";
import { preparedIds } from "../../../shared/sqlite/ids.ts";
import { NameSet } from "../../../shared/sqlite/names.ts";
import { columnNames, hasTable } from "../../../shared/sqlite/table.ts";
import type { AreaSession } from "../../records/area-session.ts";
import type { RecordPlan } from "../../records/record-tables.ts";
import { sameRow } from "../../records/row-sql.ts";

export interface DivergentFiles {
  divergent: string;
  /** Its ref's copy, or megatest.db before a take-over. */
  base: string | undefined;
  /** If not the base: its ref's copy. Null without one, so that no row shows its age. */
  own?: string | null | undefined;
}

/** Attaches private copies under these names, with untrusted schemas. Returns a function that detaches them. */
export function attachDivergent(db: Connection, { divergent, base, own }: DivergentFiles): () => void {
  const files = Object.entries({ stray: divergent, base, own }).flatMap(([name, file]) =>
    file == null ? [] : [{ name, file }],
  );
  db.pragma("trusted_schema = OFF");
  const attached: string[] = [];
  const detach = () => {
    for (const name of attached.splice(0)) db.exec(`DETACH ${name}`);
    db.pragma("trusted_schema = ON");
  };
  try {
    for (const { name, file } of files) {
      noteAttached(db, file);
      db.prepare(`ATTACH ? AS ${name}`).run(file);
      attached.push(name);
    }
    return detach;
  } catch (error) {
    detach();
    throw error;
  }
}

/** @throws JobsError `unknown-schema` if a table of the divergent cache lacks a column by which rows are matched */
export function assertComparable({ db, records }: Pick<AreaSession, "db" | "records">): void {
  const ofRecords = records
    .filter((record) => record.columnsIn("cache").length > 0)
    .map((record) => [record.table, ["id", record.parent ?? "id", ...namesOf(record)]] as const);
  for (const [table, columns] of [...ofRecords, ...Object.entries(areaTables)]) {
    if (!hasTable(db, "stray", table)) continue;
    const there = new NameSet(columnNames(db, "stray", table));
    const missing = columns.find((name) => !there.has(name));
    if (missing === undefined) continue;
    throw new JobsError("unknown-schema", `its table ${table} has no column ${missing}`);
  }
}

export type Verdict =
  /** It is at home, or unchanged. */
  | { does: "nothing" }
  /** Missing at home: insert it below that parent. */
  | { does: "insert"; parent: bigint | null }
  /** Unchanged at home: take the row's values. */
  | { does: "update"; home: bigint }
  /** Changed at both, or its parent is missing at home: keep it aside. */
  | { does: "keep"; home: bigint | null; reason: string };

const nothing: Verdict = { does: "nothing" };

/** Matches rows of a divergent cache with those at home by name, never by id alone. */
export class RowMatch {
  readonly #db: Connection;
  readonly #record: RecordPlan;
  readonly #names: readonly string[];
  readonly #values: readonly string[];
  readonly #hasBase: boolean;
  /** Columns also in its own ref; null without one, undefined if that is the base. */
  readonly #inOwn: readonly string[] | null | undefined;
  readonly #parents: ParentIds;

  constructor(session: AreaSession, record: RecordPlan, parents: ParentIds, files: DivergentFiles) {
    this.#db = session.db;
    this.#record = record;
    this.#parents = parents;
    this.#names = namesOf(record).filter((name) => name !== record.parent);
    // The ref lacks tables that never sync.
    const has = (name: "base" | "own") =>
      files[name] != null && record.synced && hasTable(session.db, name, record.table);
    this.#hasBase = has("base");
    const base = this.#hasBase ? new NameSet(columnNames(session.db, "base", record.table)) : undefined;
    this.#values = divergentColumns(session, record).filter((name) => base?.has(name) ?? true);
    const own = has("own") ? new NameSet(columnNames(session.db, "own", record.table)) : null;
    this.#inOwn = files.own === undefined ? undefined : own && this.#values.filter((name) => own.has(name));
  }

  /** SQL: ids from `:from` on of rows that differ from the home's, or changed since divergence. */
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
    // Reconciled from megatest.db.
    if (unchanged || this.#same("cache", home, "stray", id)) return nothing;
    if (base === undefined || !this.#same("cache", home, "base", base))
      return { does: "keep", home, reason: "changed at home too" };
    return this.#isNewer(id, base, parent)
      ? { does: "update", home }
      : { does: "keep", home, reason: "megatest.db already had another value" };
  }

  /**
   * Returns true if the row is newer than the base: its own ref still equals the base, or its own sync last wrote it
   * to megatest.db.
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
    // Deleted or moved at home, unless its own sync wrote it to megatest.db.
    if (unchanged && this.#find("area", id, "same") !== id) return nothing;
    return this.#record.table === "runs" && this.#find("completed", id, null) !== undefined
      ? { does: "keep", home: null, reason: "a run of that name has moved to completed-runs.db" }
      : { does: "insert", parent };
  }

  #isMoved(id: bigint): boolean {
    const moved = this.#find("completed", id, "same");
    return moved !== undefined && this.#same("completed", moved, "stray", id);
  }

  /** Returns the id of the row in `part` with this row's name, below `parent`; `same`: below its own. */
  #find(part: string, id: bigint, parent: bigint | null | "same"): bigint | undefined {
    const { table, parent: column, synced } = this.#record;
    const above = parent === "same" ? `s.${column}` : ":parent";
    const named = this.#names.map((name) => `x.${quoteName(name)} IS s.${quoteName(name)}`);
    // Without an index on the parent: see indexChildren.
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

/** Maps runs and tests to ids at home; valid under one lock. */
export class ParentIds {
  readonly #db: Connection;
  readonly #records: readonly RecordPlan[];
  readonly #known = new Map<string, bigint | undefined>();

  constructor({ db, records }: Pick<AreaSession, "db" | "records">) {
    this.#db = db;
    this.#records = records;
  }

  /** Clears the map. Call under each new lock. */
  forget(): void {
    this.#known.clear();
  }

  /** Returns the parent's id at home; null for a run; undefined if it is missing. */
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
    if (!this.#known.has(key)) this.#known.set(key, this.#findHome(table, id));
    return this.#known.get(key);
  }

  #findHome(table: "runs" | "tests", id: bigint): bigint | undefined {
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

/** Columns that name a row below its parent; default: all. */
const unsyncedNames: Partial<Record<MovedTable, readonly string[]>> = {
  run_stats: ["state", "status"],
  extradat: ["key"],
};

function namesOf(record: RecordPlan): readonly string[] {
  if (record.synced) return record.naturalKey;
  const here = record.columnsIn("cache").filter((name) => name !== "id" && name !== "last_update");
  return unsyncedNames[record.table]?.filter((name) => here.includes(name)) ?? here;
}

/** Returns the content columns: without id, parent and copy time. */
export function divergentColumns({ db }: Pick<AreaSession, "db">, record: RecordPlan): string[] {
  const there = new NameSet(columnNames(db, "stray", record.table));
  const isContent = (name: string) => there.has(name) && !["id", "last_update", record.parent].includes(name);
  return record.columnsIn("cache").filter(isContent);
}

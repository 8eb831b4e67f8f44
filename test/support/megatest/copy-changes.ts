import Database from "better-sqlite3";
import { type CarriedTable, carriedTables } from "./carried-tables.ts";

/** The three databases of an area that Megatest's sync uses. */
export interface Trio {
  cacheDb: string;
  refDb: string;
  megatestDb: string;
  /** True if this Megatest's sync carries `last_update`; default false. */
  syncsLastUpdate?: boolean;
}

/**
 * A moment during the copying of one table. At `source-read` the source's rows are in memory, the reference's are
 * not yet.
 */
export type CopyPoint = "source-read" | "reference-read" | "first-written" | "table-done";

export interface CopyRoute {
  source: string;
  /** Rows that differ from it are written; it is written first. */
  reference: string;
  /** Written second. */
  target: string;
  /** As in `Trio`. */
  syncsLastUpdate?: boolean | undefined;
}

export interface CopyOptions {
  /** Awaited at every point of every table; a test can pause or kill the copying there. */
  at?: (table: string, point: CopyPoint) => Promise<void> | void;
  /** Milliseconds to wait for a lock; Megatest waits 136 s. */
  busyTimeoutMs?: number;
  /** Rows per transaction; default: Megatest's. */
  batchRows?: number;
}

/** Megatest starts a new transaction after more than 100 rows. */
const megatestBatch = 101;

type Part = "source" | "reference" | "target";

/**
 * Copies the differences between source and reference, table by table, as Megatest does: only its list of columns,
 * by INSERT OR REPLACE, so that other columns get their defaults. Returns rows written by table.
 */
export async function copyChanges(
  route: CopyRoute,
  options: CopyOptions = {},
): Promise<Record<string, number>> {
  // what Megatest keeps in memory is in the connection's main database, where values keep type and bytes
  const db = new Database(":memory:", { timeout: options.busyTimeoutMs ?? 136_000 });
  try {
    db.pragma("foreign_keys = OFF");
    for (const part of ["source", "reference", "target"] as const) {
      db.prepare(`ATTACH ? AS ${part}`).run(route[part]);
      db.pragma(`${part}.synchronous = OFF`);
    }
    const written: Record<string, number> = {};
    for (const spec of carriedTables(targetKeys(db), route.syncsLastUpdate)) {
      const count = await copyTable(db, spec, options);
      if (count > 0) written[spec.table] = count;
    }
    return written;
  } finally {
    db.close();
  }
}

async function copyTable(db: Database.Database, spec: CarriedTable, options: CopyOptions): Promise<number> {
  const { table } = spec;
  const columns = spec.columns.filter((name) => columnsOf(db, "source", table).includes(name));
  if (columns.length === 0) return 0;
  const at = async (point: CopyPoint) => options.at?.(table, point);
  const seenColumns = columns.map((_, index) => `c${index}`);
  readInto(db, "source", table, columns);
  await at("source-read");
  readInto(db, "reference", table, columns);
  await at("reference-read");
  db.exec(`CREATE TABLE main.changed AS SELECT f.* FROM main.seen_source AS f
    LEFT JOIN main.seen_reference AS r ON r.c0 IS f.c0
    WHERE NOT (${seenColumns.map((c) => `f.${c} IS r.${c} AND typeof(f.${c}) = typeof(r.${c})`).join(" AND ")})`);
  const count = (db.prepare("SELECT count(*) AS n FROM main.changed").get() as { n: number }).n;
  write(db, "reference", table, columns, count, options.batchRows ?? megatestBatch);
  await at("first-written");
  write(db, "target", table, columns, count, options.batchRows ?? megatestBatch);
  db.exec("DROP TABLE main.seen_source; DROP TABLE main.seen_reference; DROP TABLE main.changed");
  await at("table-done");
  return count;
}

function readInto(db: Database.Database, part: Part, table: string, columns: readonly string[]): void {
  // columns without a type convert nothing
  const names = columns.map((_, index) => `c${index}`).join(", ");
  db.exec(`CREATE TABLE main.seen_${part} (${names})`);
  db.exec(`INSERT INTO main.seen_${part} SELECT ${quoted(columns)} FROM ${part}.${table}`);
  db.exec(`CREATE INDEX main.seen_${part}_first ON seen_${part} (c0)`);
}

/** Writes one transaction per batch, each a single statement. */
function write(
  db: Database.Database,
  part: Part,
  table: string,
  columns: readonly string[],
  count: number,
  batchRows: number,
): void {
  const statement = db.prepare(`INSERT OR REPLACE INTO ${part}.${table} (${quoted(columns)})
    SELECT * FROM main.changed WHERE rowid > ? AND rowid <= ?`);
  for (let from = 0; from < count; from += batchRows) statement.run(from, from + batchRows);
}

function targetKeys(db: Database.Database): string[] {
  const rows = db.prepare("SELECT fieldname FROM source.keys ORDER BY id").all() as { fieldname: string }[];
  return rows.map((row) => row.fieldname);
}

function columnsOf(db: Database.Database, part: Part, table: string): string[] {
  const rows = db.prepare("SELECT name FROM pragma_table_info(?, ?)").all(table, part) as { name: string }[];
  return rows.map((row) => row.name);
}

function quoted(columns: readonly string[]): string {
  return columns.map((name) => `"${name}"`).join(", ");
}

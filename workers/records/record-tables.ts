import { type IdentifiedTable, type RecordShape, recordShapes } from "../../shared/area-db/record-tables.ts";
import { type Connection, type Part, prepared } from "../../shared/sqlite/connection.ts";
import { foldName, respell } from "../../shared/sqlite/names.ts";
import { affinityOf, type Column, isComputed, isIndexedBy, readColumns } from "../../shared/sqlite/table.ts";

/**
 * The columns that Megatest's sync carries (besides the target keys of runs): all others get their default in the
 * copy. From Megatest's `db:sync-main-list` and `db:sync-tests-only`.
 */
const carriedByName: Record<IdentifiedTable, readonly string[]> = {
  runs: "runname contour state status owner event_time comment fail_count pass_count".split(" "),
  tests:
    `run_id testname host cpuload diskfree uname rundir shortdir item_path state status attemptnum final_logf
    logdat run_duration comment event_time fail_count pass_count archived`.split(/\s+/),
  test_steps: "test_id stepname state status event_time comment logfile".split(" "),
  test_data: "test_id category variable value expected tol units comment status type".split(" "),
};

/** What Megatest takes for the same record under any id: the UNIQUE constraint of each table. */
const naturalKeyByName: Record<IdentifiedTable, readonly string[]> = {
  runs: ["runname"],
  tests: ["run_id", "testname", "item_path"],
  test_steps: ["test_id", "stepname", "state"],
  test_data: ["test_id", "category", "variable"],
};

/** A record table in the current databases. */
export interface RecordPlan extends RecordShape {
  /** Columns of completed-runs.db's table that the part has too, `id` first. */
  columnsIn(part: Part): readonly string[];
  /** Columns the sync carries that both parts have; [] for a never-synced table. */
  carried(a: Part, b: Part): readonly string[];
  /**
   * The part's columns that the sync does not carry and that hold a site's values, with the part's defaults; [] for a
   * never-synced table. A computed default, as of `last_update`, only tells when a copy was made.
   */
  uncarried(part: Part): readonly Column[];
  naturalKey: readonly string[];
  /** The columns of completed-runs.db's table. */
  target: readonly Column[];
  /** Columns whose declared types convert a value differently between the parts. */
  mixed: readonly string[];
  /** False if the part's rows can be found by parent only through a scan. */
  indexedIn(part: Part): boolean;
}

/** SQL: a row of the table belongs to one of `runs` or of `tests`; both are SQL for lists of ids. */
export function belongsTo({ parent }: RecordShape, { runs, tests }: { runs: string; tests: string }): string {
  if (parent === "test_id") return `test_id IN ${tests}`;
  return `${parent ?? "id"} IN ${runs}`;
}

/** Returns the plan of every record table of completed-runs.db. `keys` are the target keys of runs. */
export function planRecords(db: Connection, parts: readonly Part[], keys: readonly string[]): RecordPlan[] {
  const tablesOf = new Map(parts.map((part) => [part, readTables(db, part)]));
  const completed = tablesOf.get("completed") ?? readTables(db, "completed");
  return recordShapes.flatMap((shape) => {
    const columnsThere = completed[shape.table].columns;
    const target = respell(
      columnsThere.map(({ name }) => name),
      keys,
    );
    if (!target.includes("id")) return [];
    const columns = new Map<Part, readonly string[]>();
    const uncarried = new Map<Part, readonly Column[]>();
    const carried = shape.synced ? carriedColumns(shape.table as IdentifiedTable, keys) : [];
    const affinities = new Map<string, Set<string>>();
    const indexed = new Map<Part, boolean>();
    for (const [part, tables] of tablesOf) {
      const { byName: here, isIndexed } = tables[shape.table];
      for (const [name, { type }] of here)
        affinities.set(name, new Set([...(affinities.get(name) ?? []), affinityOf(type)]));
      columns.set(
        part,
        target.filter((name) => here.has(foldName(name))),
      );
      uncarried.set(
        part,
        shape.synced
          ? target.flatMap((name) => {
              const column = here.get(foldName(name));
              return column === undefined || carried.includes(name) || tellsNothing(column)
                ? []
                : [{ ...column, name }];
            })
          : [],
      );
      indexed.set(part, isIndexed);
    }
    const columnsIn = (part: Part) => columns.get(part) ?? [];
    return [
      {
        ...shape,
        columnsIn,
        carried: (a: Part, b: Part) => {
          const inBoth = new Set(columnsIn(a).filter((name) => columnsIn(b).includes(name)));
          return carried.filter((name) => inBoth.has(name));
        },
        uncarried: (part: Part) => uncarried.get(part) ?? [],
        target: columnsThere.map((column, index) => ({ ...column, name: target[index] ?? column.name })),
        mixed: target.filter((name) => (affinities.get(foldName(name))?.size ?? 0) > 1),
        naturalKey: shape.synced ? naturalKey(shape.table as IdentifiedTable, keys) : [],
        indexedIn: (part: Part) => indexed.get(part) ?? false,
      },
    ];
  });
}

/** A record table in one database. */
interface Table {
  columns: readonly Column[];
  /** SQLite ignores case in names. */
  byName: ReadonlyMap<string, Column>;
  /** Whether rows are found by parent without a scan. */
  isIndexed: boolean;
}

type Tables = Readonly<Record<RecordShape["table"], Table>>;

/**
 * By the text that made tables and indexes, which alone decides what they are. Reading it is much faster than asking
 * for each table, and most databases of most areas share it.
 */
const known = new Map<string, Tables>();
const mostKnown = 50;

function readTables(db: Connection, part: Part): Tables {
  const made = readSchema(db, part);
  // What a view or a virtual table has depends on more.
  if (made.some(([type, sql]) => type === "view" || /^CREATE\s+VIRTUAL\b/i.test(sql ?? "")))
    return describeTables(db, part);
  const key = JSON.stringify(made);
  const before = known.get(key);
  if (before !== undefined) return before;
  const tables = describeTables(db, part);
  // A site has changed its schema meanwhile: these tables are not those of the text.
  if (JSON.stringify(readSchema(db, part)) !== key) return readTables(db, part);
  if (known.size >= mostKnown) known.clear();
  known.set(key, tables);
  return tables;
}

function readSchema(db: Connection, part: Part): [type: string, sql: string | null][] {
  return prepared<[string], [string, string | null]>(
    db,
    `SELECT type, sql FROM ${part}.sqlite_schema
       WHERE lower(tbl_name) IN (SELECT value FROM json_each(?)) AND type IN ('table', 'index', 'view') ORDER BY rowid`,
  )
    .raw()
    .all(JSON.stringify(recordShapes.map(({ table }) => table)));
}

function describeTables(db: Connection, part: Part): Tables {
  const describe = ({ table, parent }: RecordShape): Table => {
    const columns = readColumns(db, part, table);
    return {
      columns,
      byName: new Map(columns.map((column) => [foldName(column.name), column])),
      isIndexed: parent === null || isIndexedBy(db, part, table, parent),
    };
  };
  return Object.fromEntries(recordShapes.map((shape) => [shape.table, describe(shape)])) as Tables;
}

/** Returns true for the id, and for a column that tells when a row was written to one database. */
function tellsNothing({ name, defaultSql }: Column): boolean {
  return /^(id|last_update)$/i.test(name) || isComputed(defaultSql);
}

/** Returns the columns that the sync carries, without `id`. */
function carriedColumns(table: IdentifiedTable, keys: readonly string[]): readonly string[] {
  return table === "runs" ? [...keys, ...carriedByName.runs] : carriedByName[table];
}

/** Returns the columns that identify a row under any id. */
function naturalKey(table: IdentifiedTable, keys: readonly string[]): readonly string[] {
  return table === "runs" ? [...naturalKeyByName.runs, ...keys] : naturalKeyByName[table];
}

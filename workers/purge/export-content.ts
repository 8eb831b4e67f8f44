import { areaTables } from "../../shared/area-db/record-tables.ts";
import { type Connection, prepared } from "../../shared/sqlite/connection.ts";
import { preparedIds } from "../../shared/sqlite/ids.ts";
import { NameSet } from "../../shared/sqlite/names.ts";
import { columnNames } from "../../shared/sqlite/table.ts";
import { chosenVersions } from "../move/copy/superseded-of-runs.ts";
import type { JobSession } from "../move/session/job-session.ts";
import type { RecordPlan } from "../records/record-tables.ts";
import { columnList } from "../records/row-sql.ts";

// What an export holds of an area: SELECTs of the rows of completed-runs.db, by which it is written and compared.

/** Tests copied or compared in one statement. */
const chunk = 2_000;

/** Some rows of a table of completed-runs.db, bound to `d`. */
export interface Rows {
  table: string;
  columns: readonly string[];
  /** The column that tells them apart. */
  key: string;
  /** SQL: which rows. */
  where: string;
  parameters: Record<string, bigint | string>;
}

/** A run, and the ids in `mtjobs_superseded` of the versions kept of its rows. */
export interface RunContent {
  run: bigint;
  superseded: readonly bigint[];
}

const ofTests =
  "(SELECT t.id FROM completed.tests AS t WHERE t.run_id = :run AND t.id BETWEEN :from AND :to)";

/** Everything but tests and what belongs to them. */
export function runContent({ db, records }: JobSession, { run, superseded }: RunContent): Rows[] {
  const ofRun = records
    .filter(({ table, parent }) => table !== "tests" && parent !== "test_id")
    .map((record) => rowsOf(record, `d.${record.parent ?? "id"} = :run`, { run }));
  return [
    ...ofRun,
    ...areaRows(db),
    ownRows(db, "mtjobs_runs", "d.run_id = :run", { run }),
    ownRows(db, "mtjobs_superseded", `d.${chosenVersions.replace("?", ":versions")}`, {
      versions: `[${superseded.join(",")}]`,
    }),
  ];
}

/** Tests with ids in a range, and what belongs to them. */
export function testContent(
  { db, records }: JobSession,
  run: bigint,
  [from, to]: readonly [bigint, bigint],
): Rows[] {
  const range = { run, from, to };
  const rows = records.flatMap((record) => {
    if (record.table === "tests") return [rowsOf(record, `d.id IN ${ofTests}`, range)];
    return record.parent === "test_id" ? [rowsOf(record, `d.test_id IN ${ofTests}`, range)] : [];
  });
  return [...rows, ownRows(db, "mtjobs_archived", `d.test_id IN ${ofTests}`, range)];
}

/** Ranges of ids that cover the tests of a run; the event loop runs between two. */
export function testRanges(session: JobSession, run: bigint): AsyncGenerator<readonly [bigint, bigint]> {
  const last = preparedIds<[bigint, bigint], bigint | null>(
    session.db,
    `SELECT max(id) FROM (SELECT id FROM completed.tests WHERE run_id = ? AND id >= ? ORDER BY id LIMIT ${chunk})`,
  );
  return session.idRangesBy((from) => last.get(run, from));
}

function rowsOf({ table, columnsIn }: RecordPlan, where: string, parameters: Rows["parameters"]): Rows {
  return { table, columns: columnsIn("completed"), key: "id", where, parameters };
}

const ownKeys = { mtjobs_runs: "run_id", mtjobs_superseded: "id", mtjobs_archived: "test_id" } as const;

function ownRows(
  db: Connection,
  table: keyof typeof ownKeys,
  where: string,
  parameters: Rows["parameters"],
): Rows {
  return { table, columns: columnNames(db, "completed", table), key: ownKeys[table], where, parameters };
}

/** The rows that describe the area. */
function areaRows(db: Connection): Rows[] {
  return Object.keys(areaTables).flatMap((table) => {
    const columns = columnNames(db, "completed", table);
    const [key = ""] = columns.includes("id") ? ["id"] : columns;
    return columns.length === 0 ? [] : [{ table, columns, key, where: "1", parameters: {} }];
  });
}

/** Adds rows to the database attached as `export`. Call inside a transaction, without triggers. */
export function copyRows(db: Connection, { table, columns, where, parameters }: Rows): void {
  const names = columnList(columns);
  prepared<object>(
    db,
    `INSERT OR ABORT INTO export.${table} (${names}) SELECT ${columnList(columns, "d")} FROM completed.${table} AS d WHERE ${where}`,
  ).run(parameters);
}

/** Returns the columns of a table that an export lacks. */
export function missingIn(db: Connection, { table, columns }: Pick<Rows, "table" | "columns">): string[] {
  const there = new NameSet(columnNames(db, "export", table));
  return columns.filter((name) => !there.has(name));
}

import type { Connection } from "../sqlite/connection.ts";
import { foldName } from "../sqlite/names.ts";
import { type Column, declaredColumns } from "../sqlite/table.ts";

/** The database a connection was opened with (megatest.db, or the cache), and what is attached to it. */
export type Side = "main" | "completed";

/** A table whose rows belong to runs, so that some of them may be in completed-runs.db. */
export interface UnionTable {
  name: string;
  /** Column that says whose a row is: `id` for runs, else `run_id` or `test_id`. */
  owner: "id" | "run_id" | "test_id";
  /** As megatest.db has them, in its order. */
  columns: readonly Column[];
  /** Lower-case names of the columns each side has, in its order; undefined where it lacks the table. */
  present: Record<Side, readonly string[] | undefined>;
}

const shapes = [
  { name: "runs", owner: "id" },
  { name: "tests", owner: "run_id" },
  { name: "test_steps", owner: "test_id" },
  { name: "test_data", owner: "test_id" },
  { name: "run_stats", owner: "run_id" },
  { name: "extradat", owner: "run_id" },
  { name: "test_rundat", owner: "test_id" },
  { name: "archives", owner: "test_id" },
] as const satisfies readonly Pick<UnionTable, "name" | "owner">[];

/** Columns by table, as megatest.db has them. */
export type ReferenceColumns = ReadonlyMap<string, readonly Column[]>;

/** The columns of a database's main schema, to be the reference for another connection. */
export function readReference(db: Connection): ReferenceColumns {
  return new Map(shapes.map(({ name }) => [name, declaredColumns(db, "main", name)]));
}

/**
 * The tables that full-db mode shows, with what each side has of them. One that the reference lacks is left out:
 * an area that was never reduced would not have it either.
 *
 * @param attached whether completed-runs.db is attached as `completed`
 */
export function readUnionTables(
  db: Connection,
  attached: boolean,
  reference: ReferenceColumns = readReference(db),
): UnionTable[] {
  const names = (side: Side, table: string) => {
    const columns = declaredColumns(db, side, table).map((column) => foldName(column.name));
    // Without a column that says whose a row is, nothing of it can be told apart.
    return columns.includes("id") ? columns : undefined;
  };
  return shapes.flatMap((shape) => {
    const columns = reference.get(shape.name) ?? [];
    const main = names("main", shape.name);
    const completed = attached ? names("completed", shape.name) : undefined;
    if (columns.length === 0 || (main ?? completed) === undefined) return [];
    return [{ ...shape, columns, present: { main, completed } }];
  });
}

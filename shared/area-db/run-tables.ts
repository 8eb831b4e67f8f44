import type { Connection } from "../sqlite/connection.ts";
import { foldName } from "../sqlite/names.ts";
import { type Declaration, readDeclarations } from "../sqlite/site-schema.ts";
import { type Column, selectedColumns } from "../sqlite/table.ts";

/** megatest.db or the cache, and the attached database. */
export type Side = "main" | "completed";

export interface UnionColumn extends Column, Declaration {}

/** A table some of whose rows may be in completed-runs.db. */
export interface UnionTable {
  name: string;
  /** `id` for runs, else `run_id` or `test_id`. */
  owner: "id" | "run_id" | "test_id";
  /** In megatest.db's order. */
  columns: readonly UnionColumn[];
  /** Lower-case column names of each side; undefined if it lacks the table. */
  present: Record<Side, readonly string[] | undefined>;
  /** Lower-case names of columns that a side compares differently from megatest.db. */
  compared: Record<Side, readonly string[]>;
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

export type ReferenceColumns = ReadonlyMap<string, readonly UnionColumn[]>;

export function readReference(db: Connection): ReferenceColumns {
  return new Map(
    shapes.map(({ name }) => {
      const declarationOf = readDeclarations(db, "main", name);
      const columns = selectedColumns(db, "main", name);
      return [name, columns.map((column) => ({ ...column, ...declarationOf(column.name) }))];
    }),
  );
}

/**
 * Returns the tables of full-db mode. Skips those that the reference lacks.
 *
 * @param attached whether completed-runs.db is attached as `completed`
 */
export function readUnionTables(
  db: Connection,
  attached: boolean,
  reference: ReferenceColumns = readReference(db),
): UnionTable[] {
  const names = (side: Side, table: string) => {
    const columns = selectedColumns(db, side, table).map((column) => foldName(column.name));
    return columns.includes("id") ? columns : undefined;
  };
  return shapes.flatMap((shape) => {
    const columns = reference.get(shape.name) ?? [];
    const main = names("main", shape.name);
    const completed = attached ? names("completed", shape.name) : undefined;
    if (columns.length === 0 || (main ?? completed) === undefined) return [];
    const compared = (side: Side) => {
      const declarationOf = readDeclarations(db, side, shape.name);
      return columns
        .filter(({ name, collation }) => declarationOf(name).collation !== collation)
        .map(({ name }) => foldName(name));
    };
    return [
      {
        ...shape,
        columns,
        present: { main, completed },
        compared: { main: compared("main"), completed: completed === undefined ? [] : compared("completed") },
      },
    ];
  });
}

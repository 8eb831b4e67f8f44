import { type Snapshot, showValue, type Table, type Value } from "./snapshot.ts";

/** Returns the differences between two snapshots, one per line; [] if there are none. Rows are matched by id. */
export function diff(before: Snapshot, after: Snapshot): string[] {
  const names = [...new Set([...before.tables.keys(), ...after.tables.keys()])].sort();
  return names.flatMap((name) => diffTables(name, before.tables.get(name), after.tables.get(name)));
}

function diffTables(name: string, before: Table | undefined, after: Table | undefined): string[] {
  if (before === undefined) return [`${name}: table appeared with ${after?.rows.length} rows`];
  if (after === undefined) return [`${name}: table of ${before.rows.length} rows vanished`];
  const old = byId(before);
  const fresh = byId(after);
  const lines: string[] = [];
  for (const [id, row] of old) {
    const now = fresh.get(id);
    if (now === undefined) lines.push(`${name} ${id}: gone (was ${showRow(row)})`);
    else lines.push(...diffRows(`${name} ${id}`, row, now));
  }
  for (const [id, row] of fresh) if (!old.has(id)) lines.push(`${name} ${id}: new (${showRow(row)})`);
  return lines;
}

function diffRows(
  what: string,
  before: ReadonlyMap<string, Value>,
  after: ReadonlyMap<string, Value>,
): string[] {
  const columns = [...new Set([...before.keys(), ...after.keys()])];
  return columns
    .filter((column) => before.get(column) !== after.get(column))
    .map(
      (column) =>
        `${what}: ${column} was ${showValue(before.get(column))}, is ${showValue(after.get(column))}`,
    );
}

function byId(table: Table): Map<Value, Map<string, Value>> {
  const id = table.columns.indexOf("id");
  return new Map(
    table.rows.map((row) => [
      row[id] ?? "n",
      new Map(table.columns.map((column, index) => [column, row[index] ?? "n"])),
    ]),
  );
}

function showRow(row: ReadonlyMap<string, Value>): string {
  return [...row].map(([column, value]) => `${column}=${showValue(value)}`).join(" ");
}

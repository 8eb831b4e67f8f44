import type { Union } from "./records.ts";
import { loose, type Row, rowsOf } from "./rows.ts";
import { showValue } from "./snapshot.ts";

/**
 * Counts rows of tables that never sync, by table, parent and content. Content in two databases is the same row, so
 * the higher count is right.
 */
export function countLoose(snapshots: Union["snapshots"], ids: Union["ids"]): Map<string, number> {
  const highest = new Map<string, number>();
  for (const place of ["cache", "area", "completed"] as const) {
    for (const [key, count] of countIn(snapshots, ids, place)) {
      highest.set(key, Math.max(count, highest.get(key) ?? 0));
    }
  }
  return highest;
}

function countIn(
  snapshots: Union["snapshots"],
  ids: Union["ids"],
  place: "cache" | "area" | "completed",
): Map<string, number> {
  const counts = new Map<string, number>();
  for (const shape of loose) {
    for (const row of rowsOf(snapshots[place], shape.table)) {
      const id = `${shape.parent.table} ${row.get(shape.parent.column) ?? "n"}`;
      const parent =
        place === "completed" ? ids.completed.get(id) : (ids.area.get(id) ?? ids.completed.get(id));
      if (parent === undefined) continue;
      const key = `${parent} / ${shape.table}:${contentOf(row, shape.parent.column)}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  return counts;
}

function contentOf(row: Row, parent: string): string {
  return [...row]
    .filter(([name]) => name !== "id" && name !== "last_update" && name !== parent)
    .map(([name, value]) => `${name}=${showValue(value)}`)
    .join("|");
}

import { foldName } from "../../../shared/sqlite/names.ts";
import type { Building, Space } from "./records.ts";
import type { Identified, Row } from "./rows.ts";
import { showValue } from "./snapshot.ts";

/**
 * Returns a row's name, prefixed with its parent's; undefined for an orphan. `counts` belongs to one table of one
 * space.
 */
export function pathOf(
  state: Building,
  shape: Identified,
  space: Space,
  row: Row,
  counts: Map<string, number>,
): string | undefined {
  const columns = shape.table === "runs" ? [...state.keys, ...shape.natural] : shape.natural;
  const values = columns.map((column) => row.get(foldName(column)) ?? "n");
  const parent = parentPath(state, shape, space, row);
  if (parent === undefined) return undefined;
  const named = `${parent}${shape.table}:${values.map(showValue).join("|")}`;
  const path = values.includes("n") ? `${named} ${nullName(shape, row, counts, named)}` : named;
  // registered again after its move: another run of the same name
  const again = shape.table === "runs" && space === "completed" && !sameIdInArea(state, shape, row, path);
  return again ? `${path} (moved earlier)` : path;
}

/**
 * NULL makes no row unique. Such a run or test is identified by its id; a step or measurement, which Megatest
 * reports again under new ids, by its content and a counter.
 */
function nullName(shape: Identified, row: Row, counts: Map<string, number>, named: string): string {
  if (shape.parent?.table !== "tests") return `#${row.get("id") ?? "n"}`;
  const content = [...row]
    .filter(([name]) => !["id", "last_update", "test_id"].includes(name))
    .map(([, value]) => showValue(value));
  const key = `${named} ${content.join("|")}`;
  const count = (counts.get(key) ?? 0) + 1;
  counts.set(key, count);
  return `${content.join("|")} (${count})`;
}

function sameIdInArea(state: Building, shape: Identified, row: Row, path: string): boolean {
  const there = state.records.get(path);
  return there === undefined || state.ids.area.get(`${shape.table} ${row.get("id") ?? "n"}`) === path;
}

function parentPath(state: Building, shape: Identified, space: Space, row: Row): string | undefined {
  if (shape.parent === undefined) return "";
  const key = `${shape.parent.table} ${row.get(shape.parent.column) ?? "n"}`;
  // a late row of the area may belong to a moved run
  const path = state.ids[space].get(key) ?? (space === "area" ? state.ids.completed.get(key) : undefined);
  return path === undefined ? undefined : `${path} / `;
}

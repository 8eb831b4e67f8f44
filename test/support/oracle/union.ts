import { carriedTables } from "../megatest/carried-tables.ts";
import { readRunStates, readSuperseded } from "./completed.ts";
import { freshest, isLater, same } from "./freshest.ts";
import { countLoose } from "./loose.ts";
import { pathOf } from "./natural-path.ts";
import type { AreaFiles, Building, Loser, NaturalRecord, Space, Union } from "./records.ts";
import { type Identified, identified, type Row, rowsById, rowsOf } from "./rows.ts";
import { showValue, snapshot, type Value } from "./snapshot.ts";

/** Reads all databases of an area and applies the rule of the newest copy to every record. */
export function unionOfRuns(files: AreaFiles): Union {
  const snapshots = {
    cache: snapshot(files.cacheDb),
    ref: snapshot(files.refDb),
    area: snapshot(files.megatestDb),
    completed: snapshot(files.completedDb),
  };
  const runStates = readRunStates(files.completedDb);
  const state: Building = {
    snapshots,
    keys: rowsOf(snapshots.area, "keys").map((row) => plainText(row.get("fieldname") ?? "n")),
    unfinished: new Set([...runStates].filter(([, run]) => run === "copying").map(([id]) => id)),
    records: new Map(),
    losers: [],
    ids: { area: new Map(), completed: new Map() },
    orphans: { area: [], completed: [] },
  };
  for (const shape of identified) {
    addAreaRows(state, shape);
    addCompletedRows(state, shape);
  }
  const { records, losers, ids, orphans } = state;
  const superseded = readSuperseded(files.completedDb);
  return {
    files,
    records,
    losers,
    ids,
    orphans,
    runStates,
    superseded,
    snapshots,
    loose: countLoose(snapshots, ids),
  };
}

function addAreaRows(state: Building, shape: Identified): void {
  const { table } = shape;
  const [cache, ref, area] = [state.snapshots.cache, state.snapshots.ref, state.snapshots.area].map((from) =>
    rowsById(from, table),
  ) as [Map<Value, Row>, Map<Value, Row>, Map<Value, Row>];
  const carried = carriedColumns(table, state.keys);
  const named = new Map<string, number>();
  // the cache's rows first: on a name clash its version is already present
  for (const id of new Set([...cache.keys(), ...area.keys()])) {
    const best = freshest({ cache: cache.get(id), ref: ref.get(id), area: area.get(id) }, carried);
    if (best === undefined) continue;
    const path = pathOf(state, shape, "area", best.row, named);
    if (path === undefined) {
      state.orphans.area.push(`${table} ${id}: ${showRow(best.row)}`);
      continue;
    }
    state.ids.area.set(`${table} ${id}`, path);
    if (best.loser !== undefined) state.losers.push(loserOf(shape, path, best.loser, carried));
    const record = recordOf(
      state,
      shape,
      path,
      best.row,
      best.lastUpdates,
      best.source === "cache" ? "cache" : "area",
    );
    const other = state.records.get(path);
    if (other === undefined) state.records.set(path, record);
    else settleClash(state, shape, other, record, { ref, carried });
  }
}

/** Resolves one name under two ids: the cache's row wins unless megatest.db changed after the last sync. */
function settleClash(
  state: Building,
  shape: Identified,
  cache: NaturalRecord,
  area: NaturalRecord,
  known: { ref: ReadonlyMap<Value, Row>; carried: readonly string[] },
): void {
  const columns = known.carried.filter((name) => name !== shape.parent?.column && name !== "archived");
  const ancestor = known.ref.get(cache.id);
  const unchanged = ancestor !== undefined && same(cache.row, ancestor, columns);
  const areaWins = unchanged && isLater(area.row, ancestor);
  const [winner, loser] = areaWins ? [area, cache] : [cache, area];
  state.records.set(cache.path, {
    ...winner,
    anyId: true,
    lastUpdates: [...cache.lastUpdates, ...area.lastUpdates],
  });
  const old = known.ref.get(loser.id);
  const onlyOlder = old !== undefined && same(loser.row, old, columns);
  if (!onlyOlder && !same(cache.row, area.row, columns))
    state.losers.push(loserOf(shape, cache.path, loser.row, columns));
}

function addCompletedRows(state: Building, shape: Identified): void {
  const named = new Map<string, number>();
  for (const [id, row] of rowsById(state.snapshots.completed, shape.table)) {
    if (shape.table === "runs" && state.unfinished.has(id)) continue;
    const parent = shape.parent && row.get(shape.parent.column);
    const path = pathOf(state, shape, "completed", row, named);
    if (path === undefined) {
      const halfCopied =
        shape.table === "tests" ? state.unfinished.has(parent ?? "n") : isUnfinishedTest(state, parent);
      if (!halfCopied) state.orphans.completed.push(`${shape.table} ${id}: ${showRow(row)}`);
      continue;
    }
    state.ids.completed.set(`${shape.table} ${id}`, path);
    const record = recordOf(state, shape, path, row, [row.get("last_update") ?? "n"], "completed");
    const other = state.records.get(path);
    if (other === undefined) state.records.set(path, record);
    else
      state.records.set(path, { ...record, spaces: new Set<Space>(["area", "completed"]), anyValue: true });
  }
}

function isUnfinishedTest(state: Building, test: Value | undefined): boolean {
  const run = rowsById(state.snapshots.completed, "tests")
    .get(test ?? "n")
    ?.get("run_id");
  return state.unfinished.has(run ?? "n");
}

function recordOf(
  state: Building,
  shape: Identified,
  path: string,
  row: Row,
  lastUpdates: readonly string[],
  source: "cache" | "area" | "completed",
): NaturalRecord {
  return {
    table: shape.table,
    path,
    row: withBlockPath(state, row, source),
    id: row.get("id") ?? "n",
    anyId: false,
    lastUpdates,
    spaces: new Set([source === "completed" ? "completed" : "area"]),
    anyValue: false,
  };
}

/** Replaces a block id with the block's path, because the path may have another id elsewhere. */
function withBlockPath(state: Building, row: Row, source: "cache" | "area" | "completed"): Row {
  const archived = row.get("archived");
  if (archived === undefined || !/^i:[1-9]/.test(archived)) return row;
  const other = source === "cache" ? "area" : "cache";
  const places = source === "completed" ? [source] : [source, other];
  for (const place of places as ("cache" | "area" | "completed")[]) {
    const block = rowsById(state.snapshots[place], "archive_blocks").get(archived);
    if (block !== undefined) return new Map([...row, ["archived", `block ${block.get("disk_path") ?? "n"}`]]);
  }
  return row;
}

function loserOf(shape: Identified, path: string, row: Row, carried: readonly string[]): Loser {
  // parents and blocks may have new ids
  const columns = carried.filter(
    (name) => name !== shape.parent?.column && name !== "archived" && row.has(name),
  );
  return { table: shape.table, path, row, columns };
}

function carriedColumns(table: string, keys: readonly string[]): string[] {
  const columns = carriedTables(keys).find((spec) => spec.table === table)?.columns ?? [];
  return columns.filter((name) => name !== "id");
}

function plainText(value: Value): string {
  return Buffer.from(value.slice(2), "hex").toString("utf8");
}

function showRow(row: Row): string {
  return [...row].map(([name, value]) => `${name}=${showValue(value)}`).join(" ");
}

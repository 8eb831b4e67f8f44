import { carriedTables } from "../megatest/carried-tables.ts";
import { type RunState, readRunStates, readSuperseded, type SupersededRow } from "./completed.ts";
import { freshest, isLater, same } from "./freshest.ts";
import { countLoose } from "./loose.ts";
import { type Identified, identified, type Row, rowsById, rowsOf } from "./rows.ts";
import { type Snapshot, showValue, snapshot, type Value } from "./snapshot.ts";

/** The files of an area. A path may be left out or name no file. */
export interface AreaFiles {
  megatestDb: string;
  cacheDb?: string;
  refDb?: string;
  completedDb?: string;
}

/** `area`: megatest.db and cache taken together. */
export type Space = "area" | "completed";

/** A run, test, step or measurement as the world knows it, whatever its id. */
export interface NaturalRecord {
  table: Identified["table"];
  /** Names of its parents and its own. */
  path: string;
  /** The freshest values; `archived` says the path of the block instead of its id. */
  row: Row;
  id: Value;
  /** True where ids clashed, so that either may have been kept. */
  anyId: boolean;
  /** What `last_update` may be. */
  lastUpdates: readonly string[];
  spaces: ReadonlySet<Space>;
  /** True where versions met that no rule ranks (one of them moved earlier): only the being there counts. */
  anyValue: boolean;
}

/** A version that lost and must be kept. */
export interface Loser {
  table: string;
  path: string;
  row: Row;
  columns: readonly string[];
}

/** Everything an area holds, over all its databases. */
export interface Union {
  files: AreaFiles;
  records: ReadonlyMap<string, NaturalRecord>;
  /** Rows of tables that never sync: how often each content is there, by table, parent and content. */
  loose: ReadonlyMap<string, number>;
  losers: readonly Loser[];
  /** Paths by id: what an id stands for in each space. */
  ids: Readonly<Record<Space, ReadonlyMap<string, string>>>;
  /** Rows without a parent, as lines. */
  orphans: Readonly<Record<Space, readonly string[]>>;
  runStates: ReadonlyMap<Value, RunState>;
  superseded: readonly SupersededRow[];
  snapshots: Readonly<Record<"cache" | "ref" | "area" | "completed", Snapshot>>;
}

/** Reads all databases of an area and judges every record by the rule of the freshest copy. */
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

interface Building {
  snapshots: Union["snapshots"];
  keys: readonly string[];
  /** Runs in completed-runs.db that are only half copied: not there yet. */
  unfinished: ReadonlySet<Value>;
  records: Map<string, NaturalRecord>;
  losers: Loser[];
  ids: Record<Space, Map<string, string>>;
  orphans: Record<Space, string[]>;
}

function addAreaRows(state: Building, shape: Identified): void {
  const { table } = shape;
  const [cache, ref, area] = [state.snapshots.cache, state.snapshots.ref, state.snapshots.area].map((from) =>
    rowsById(from, table),
  ) as [Map<Value, Row>, Map<Value, Row>, Map<Value, Row>];
  const carried = carriedColumns(table, state.keys);
  const named = new Map<string, number>();
  // the cache's rows first: a clash of names finds the cache's version in place
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

/** The same name under two ids: the cache's row, met first, wins unless megatest.db changed after the last sync. */
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

/** The name of a row within its parent's; undefined for an orphan. */
function pathOf(
  state: Building,
  shape: Identified,
  space: Space,
  row: Row,
  named: Map<string, number>,
): string | undefined {
  const columns = shape.table === "runs" ? [...state.keys, ...shape.natural] : shape.natural;
  const values = columns.map((column) => row.get(column) ?? "n");
  // NULL makes no row unique: such a row is named by its content, and counted
  const unnamed = values.includes("n");
  const own = unnamed
    ? [...row]
        .filter(([name]) => !["id", "last_update", "archived", shape.parent?.column].includes(name))
        .map(([, v]) => v)
    : values;
  const parent = parentPath(state, shape, space, row);
  if (parent === undefined) return undefined;
  let path = `${parent}${shape.table}:${own.map(showValue).join("|")}`;
  if (unnamed) {
    const count = (named.get(path) ?? 0) + 1;
    named.set(path, count);
    path = `${path} (${count})`;
  }
  // registered again after its move: another run of the same name
  const again = shape.table === "runs" && space === "completed" && !sameIdInArea(state, shape, row, path);
  return again ? `${path} (moved earlier)` : path;
}

function sameIdInArea(state: Building, shape: Identified, row: Row, path: string): boolean {
  const there = state.records.get(path);
  return there === undefined || state.ids.area.get(`${shape.table} ${row.get("id") ?? "n"}`) === path;
}

function parentPath(state: Building, shape: Identified, space: Space, row: Row): string | undefined {
  if (shape.parent === undefined) return "";
  const key = `${shape.parent.table} ${row.get(shape.parent.column) ?? "n"}`;
  // a late row of the area may belong to a run that has moved
  const path = state.ids[space].get(key) ?? (space === "area" ? state.ids.completed.get(key) : undefined);
  return path === undefined ? undefined : `${path} / `;
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

/** A block id means a path, and that may have another id elsewhere. */
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
  // parents and blocks may have got new ids meanwhile
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

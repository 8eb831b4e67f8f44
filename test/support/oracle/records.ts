import type { RunState, SupersededRow } from "./completed.ts";
import type { Identified, Row } from "./rows.ts";
import type { Snapshot, Value } from "./snapshot.ts";

/** The files of an area. A path may be omitted or name no file. */
export interface AreaFiles {
  megatestDb: string;
  cacheDb?: string;
  refDb?: string;
  completedDb?: string;
}

/** `area`: megatest.db and cache together. */
export type Space = "area" | "completed";

/** A run, test, step or measurement, independent of its id. */
export interface NaturalRecord {
  table: Identified["table"];
  /** Names of its parents and its own. */
  path: string;
  /** The newest values; `archived` is the block's path instead of its id. */
  row: Row;
  id: Value;
  /** True if ids clashed, so that either may have been kept. */
  anyId: boolean;
  /** Valid values of `last_update`. */
  lastUpdates: readonly string[];
  spaces: ReadonlySet<Space>;
  /** True if two versions met that no rule ranks (one moved earlier): only existence counts. */
  anyValue: boolean;
}

/** A superseded version, which must be kept. */
export interface Loser {
  table: string;
  path: string;
  row: Row;
  columns: readonly string[];
}

export interface Union {
  files: AreaFiles;
  records: ReadonlyMap<string, NaturalRecord>;
  /** Rows of tables that never sync: how often each content occurs, by table, parent and content. */
  loose: ReadonlyMap<string, number>;
  losers: readonly Loser[];
  /** Paths by id in each space. */
  ids: Readonly<Record<Space, ReadonlyMap<string, string>>>;
  /** Rows without a parent, as lines. */
  orphans: Readonly<Record<Space, readonly string[]>>;
  runStates: ReadonlyMap<Value, RunState>;
  superseded: readonly SupersededRow[];
  snapshots: Readonly<Record<"cache" | "ref" | "area" | "completed", Snapshot>>;
}

export interface Building {
  snapshots: Union["snapshots"];
  keys: readonly string[];
  /** Runs in completed-runs.db that are only half copied, and do not count. */
  unfinished: ReadonlySet<Value>;
  records: Map<string, NaturalRecord>;
  losers: Loser[];
  ids: Record<Space, Map<string, string>>;
  orphans: Record<Space, string[]>;
}

import type { RunState, SupersededRow } from "./completed.ts";
import type { Identified, Row } from "./rows.ts";
import type { Snapshot, Value } from "./snapshot.ts";

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

export interface Building {
  snapshots: Union["snapshots"];
  keys: readonly string[];
  /** Runs in completed-runs.db that are only half copied: not there yet. */
  unfinished: ReadonlySet<Value>;
  records: Map<string, NaturalRecord>;
  losers: Loser[];
  ids: Record<Space, Map<string, string>>;
  orphans: Record<Space, string[]>;
}

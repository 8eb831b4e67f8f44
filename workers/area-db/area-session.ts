import type { Area } from "../../shared/area/area.ts";
import type { JobContext } from "../../shared/job-context.ts";
import type { Connection, Part } from "../../shared/sqlite/connection.ts";
import type { CacheTimes } from "../move/cache-times.ts";
import { Plans } from "../move/plans.ts";
import { RecordSession } from "./record-session.ts";

/** The databases of an area that hold runs before a move, in the order in which a run is removed from them. */
export const removalOrder = ["cache", "ref", "area"] as const satisfies readonly Part[];
export type Source = (typeof removalOrder)[number];

/** Paths of the databases at hand; without the cache's if `/tmp` was cleaned or never filled. */
export interface Files {
  area: string;
  cache?: string;
  ref?: string;
  completed: string;
}

export interface AreaSessionOptions {
  /** All databases attached, completed-runs.db among them. */
  db: Connection;
  context: JobContext;
  area: Area;
  files: Files;
  sources: readonly Source[];
  /** Target keys of the area, in order. */
  keys: readonly string[];
  /** Undefined for a dry run, which commits nothing. */
  times: CacheTimes | undefined;
  token?: number;
}

/** Numbers of versions kept aside in `mtjobs_superseded`. */
export interface Kept {
  conflicts: number;
  /** Versions of rows that were not yet synced. */
  unsynced: number;
}

/** One job's session on all databases of an area and their record tables. */
export class AreaSession extends RecordSession {
  readonly context: JobContext;
  readonly area: Area;
  readonly files: Files;
  /** The sources at hand, in order of removal. */
  readonly sources: readonly Source[];
  readonly keys: readonly string[];

  constructor({ db, context, area, files, sources, keys, times, token }: AreaSessionOptions) {
    super({ db, signal: context.signal, times, token, plans: new Plans({ db, sources, keys }) });
    this.context = context;
    this.area = area;
    this.files = files;
    this.sources = sources;
    this.keys = keys;
  }

  /** Where the freshest data is: the cache, or megatest.db without one. */
  get fresh(): "cache" | "area" {
    return this.sources.includes("cache") ? "cache" : "area";
  }

  /** Counts versions kept aside, if the job counts them. */
  countKept(_kept: Kept): void {}

  /** The same session under another signal. */
  under(signal: AbortSignal): this {
    const context = { ...this.context, signal };
    return Object.create(this, { signal: { value: signal }, context: { value: context } });
  }
}

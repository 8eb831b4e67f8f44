import { resolve } from "node:path";
import { JobsError } from "../../../shared/errors.ts";
import { areaBaseName } from "./area-files.ts";

export interface SampleAreaOptions {
  /** The area's directory; created if missing. It must not have a megatest.db. */
  directory: string;
  /** Where Megatest keeps its caches; `/tmp` on a real host. */
  cacheRoot: string;
  /** The `<user>` in the cache's path and the owner of the runs. */
  user: string;
  /** Content of `.homehost`: an IPv4 address or a host name. */
  host: string;
  /** Default 50. */
  runs?: number;
  /** Default 20. */
  testsPerRun?: number;
  /** Default 6, maximum 28: a test has no step twice in the same state. */
  stepsPerTest?: number;
  /** Default 5. */
  dataPerTest?: number;
  /** Number of newest runs that are in flight; default 2, or 0 for fewer than 4 runs. */
  inFlight?: number;
  /** The present, in Unix seconds; default the clock's. */
  now?: number;
  /** Number of days before now over which the runs began; default 90. */
  days?: number;
  /** The same seed gives the same rows; default 1. */
  seed?: number;
  /** Default: the directory's base name without its extension, as in Megatest. */
  areaName?: string;
  /** Target keys; default sysname, fsname, datapath. */
  keys?: readonly string[];
  /** Lines of `[reduce-records]` by name; default none. */
  policies?: Readonly<Record<string, string>>;
  /** A database of an early Megatest, without `contour` and `last_update`. */
  old?: boolean;
  /** Column definitions to add by table, to all databases. */
  extraColumns?: Readonly<Record<string, string>>;
  /** The cache uses a write-ahead log, as with `use-wal`. */
  cacheWal?: boolean;
  /** False: no cache pair, as after /tmp was cleaned; default true. */
  withCache?: boolean;
  /** False: cache, ref and megatest.db agree in all synced data; default true. */
  unsynced?: boolean;
}

export interface SampleArea {
  directory: string;
  areaName: string;
  cacheRoot: string;
  user: string;
  host: string;
  cacheDirectory: string;
  megatestDb: string;
  cacheDb: string;
  refDb: string;
  keys: readonly string[];
  /** Unix seconds; as given or from the clock. */
  now: number;
  /** Time of the last sync, Unix seconds. */
  syncedAt: number;
  /** Ids of runs in flight; the other ids from 1 on are finished. */
  inFlight: readonly number[];
}

export type Plan = Required<SampleAreaOptions> & { syncedAt: number };

/** @throws JobsError `usage` for an invalid count */
export function planOf(options: SampleAreaOptions): Plan {
  const now = options.now ?? Math.floor(Date.now() / 1000);
  const runs = options.runs ?? 50;
  const plan = {
    testsPerRun: 20,
    stepsPerTest: 6,
    dataPerTest: 5,
    inFlight: runs < 4 ? 0 : 2,
    days: 90,
    seed: 1,
    keys: ["sysname", "fsname", "datapath"],
    policies: {},
    old: false,
    extraColumns: {},
    cacheWal: false,
    withCache: true,
    unsynced: true,
    ...options,
    directory: resolve(options.directory),
    areaName: options.areaName ?? areaBaseName(resolve(options.directory)),
    now,
    runs,
    syncedAt: now - 60,
  };
  for (const name of ["runs", "testsPerRun", "stepsPerTest", "dataPerTest", "inFlight"] as const) {
    if (!Number.isSafeInteger(plan[name]) || plan[name] < 0) {
      throw new JobsError("usage", `${name} must be a whole number, not ${plan[name]}`);
    }
  }
  if (plan.stepsPerTest > 28)
    throw new JobsError("usage", `stepsPerTest is at most 28, not ${plan.stepsPerTest}`);
  return plan;
}

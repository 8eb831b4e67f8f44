import { resolve } from "node:path";
import { JobsError } from "../errors.ts";
import { areaBaseName } from "./area-files.ts";

export interface SampleAreaOptions {
  /** The area's directory; made where it is missing. It must hold no megatest.db. */
  directory: string;
  /** Where Megatest keeps its caches, `/tmp` on a real host. */
  cacheRoot: string;
  /** The `<user>` in the cache's path and the owner of the runs. */
  user: string;
  /** What `.homehost` holds: an IPv4 address or a host name. */
  host: string;
  /** Default 50. */
  runs?: number;
  /** Default 20. */
  testsPerRun?: number;
  /** Default 6, at most 28: a test has no step twice in the same state. */
  stepsPerTest?: number;
  /** Default 5. */
  dataPerTest?: number;
  /** The newest runs, which are still in flight; default 2, or 0 where there are fewer than 4 runs. */
  inFlight?: number;
  /** The present, in Unix seconds; default the clock's. */
  now?: number;
  /** Over how many days before now the runs began; default 90. */
  days?: number;
  /** The same seed gives the same rows; default 1. */
  seed?: number;
  /** Default the directory's base name without its extension, as Megatest takes it. */
  areaName?: string;
  /** Target keys; default sysname, fsname, datapath. */
  keys?: readonly string[];
  /** A database of an early Megatest, without `contour` and `last_update`. */
  old?: boolean;
  /** Column definitions to add by table, to all databases. */
  extraColumns?: Readonly<Record<string, string>>;
  /** The cache uses a write-ahead log, as with `use-wal`. */
  cacheWal?: boolean;
  /** False: no cache pair, as after /tmp was cleaned; default true. */
  withCache?: boolean;
  /** False: cache, ref and megatest.db agree in all that the sync carries; default true. */
  unsynced?: boolean;
}

export interface SampleArea {
  directory: string;
  areaName: string;
  cacheRoot: string;
  user: string;
  host: string;
  /** Where the cache pair is, or would be. */
  cacheDirectory: string;
  megatestDb: string;
  cacheDb: string;
  refDb: string;
  keys: readonly string[];
  /** Unix seconds; as given or taken from the clock. */
  now: number;
  /** Unix seconds of the last sync that the area looks back on. */
  syncedAt: number;
  /** Ids of runs in flight; the other ids from 1 on are finished. */
  inFlight: readonly number[];
}

/** The options with every default in place. */
export type Plan = Required<SampleAreaOptions> & { syncedAt: number };

/** @throws JobsError `usage` where a count is not one */
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

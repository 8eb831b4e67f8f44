import { statSync } from "node:fs";
import { JobsError, systemCode, toJobsError } from "../../errors.ts";
import type { Settings } from "../../settings/settings.ts";
import { msSince } from "../../time/elapsed.ts";
import type { Area } from "../area.ts";
import { type CacheSearch, type FoundCache, findCaches } from "./find-caches.ts";

const recentMs = 24 * 3_600_000;

/**
 * What another cache holds: no run of this area, unsynced rows unknown to megatest.db and completed-runs.db, or only
 * known or synced rows; unknown while it is being written to.
 */
export type CacheContent = "another-area" | "unknown-rows" | "known-rows" | "being-written";

/** @throws JobsError if the cache cannot be read; `busy` if the area's own databases are locked */
export type CacheReader = (cache: FoundCache) => CacheContent;

export interface UsedCache {
  directory: string;
  owner: string;
  reason: string;
  why: CacheUse;
}

type CacheUse = "open" | "recent" | "unknown-rows" | "misnamed";
type Use = Pick<UsedCache, "reason" | "why">;

export interface OtherCaches extends CacheSearch {
  used: UsedCache[];
  /** Directories of caches without a run of this area. */
  ofOtherAreas: string[];
}

/**
 * Finds caches in use besides the selected pair: open, changed within a day, or with rows that megatest.db lacks;
 * without a selected pair, also one under another name. Only caches that share a run with this area (`read`), of
 * users who may write to megatest.db, count.
 *
 * @throws JobsError `busy` if the area's own databases are locked
 */
export function findOtherCaches(area: Area, settings: Settings, read: CacheReader): OtherCaches {
  const { caches, warnings } = findCaches(area, settings);
  const ofOtherAreas: string[] = [];
  const used = caches.flatMap((cache) => {
    if (cache.selected || !cache.mayWrite) return [];
    const use = useOf(cache, area.name, read, warnings);
    if (use === "another-area") ofOtherAreas.push(cache.directory);
    if (use === undefined || use === "another-area") return [];
    return [{ directory: cache.directory, owner: cache.owner, ...use }];
  });
  return { caches, warnings, used, ofOtherAreas };
}

/**
 * Returns warnings on what could not be inspected.
 *
 * @throws JobsError `several-caches`, naming all
 */
export function assertSingleCache(area: Area, settings: Settings, read: CacheReader): string[] {
  const found = findOtherCaches(area, settings, read);
  const refusal = severalCaches(found);
  if (refusal !== undefined) throw refusal;
  return found.warnings;
}

/** Builds the error that names every other cache in use; undefined if there is none. */
export function severalCaches({ caches, used }: OtherCaches): JobsError | undefined {
  if (used.length === 0) return undefined;
  const selected = caches.find((cache) => cache.selected)?.directory;
  const others = used
    .map(({ directory, owner, reason }) => `${directory} (of ${owner}; ${reason})`)
    .join(", ");
  const message =
    selected === undefined
      ? `the area has no cache in the expected directory, but has others: ${others}`
      : `the area has more than one cache in use; besides ${selected}: ${others}`;
  const kinds = Object.keys(remedies) as CacheUse[];
  const steps = kinds.filter((kind) => used.some(({ why }) => why === kind)).map((kind) => remedies[kind]);
  return new JobsError("several-caches", message, {
    hint: steps.join("; "),
    details: { selected: selected ?? null, inUse: used },
  });
}

const remedies: Record<CacheUse, string> = {
  misnamed:
    "check which name Megatest gives the area ([setup] area-name or testsuite, including trailing blanks; MT_TESTSUITE_NAME; the directory) and correct it. A cache holds records that megatest.db may lack: remove it only after Megatest has synced it and stopped using it",
  open: "end the processes that have a cache open, after Megatest has synced it",
  recent:
    "a cache that is synced is ignored one day after its last change: let Megatest sync it and wait, or remove it once it is synced and unused",
  "unknown-rows":
    "let Megatest sync the cache whose rows megatest.db lacks: start Megatest as the cache's user, with the area path that the cache is named after",
};

function useOf(
  cache: FoundCache,
  areaName: string,
  read: CacheReader,
  warnings: string[],
): Use | "another-area" | undefined {
  // Empty: Megatest is creating it, or failed to.
  if (cache.otherName !== null && !isOpen(cache) && isEmpty(cache)) return undefined;
  const sign = nameProblem(cache, areaName) ?? signOfUse(cache);
  // Open under this area's path: it counts whatever it holds.
  if (sign !== undefined && cache.reading === "same" && isOpen(cache)) return sign;
  if (cache.openBy === "unknown" && sign === undefined) {
    warnings.push(`cannot check whether a process of ${cache.owner} has ${cache.directory} open`);
  }
  if (cache.otherName === null) return sign;
  try {
    const content = read(cache);
    if (content === "another-area") return content;
    if (content === "being-written") return { reason: "it is being written to", why: "open" };
    if (sign !== undefined || content === "known-rows") return sign;
    return { reason: "holds rows that megatest.db lacks", why: content };
  } catch (error) {
    // A local error to report, not a warning.
    if (error instanceof JobsError && error.code === "disk-full") throw error;
    // The area's own databases are locked: temporary, and not about this cache.
    if (toJobsError(error).code === "busy") throw error;
    const reason = error instanceof JobsError ? error.message : systemCode(error) || String(error);
    warnings.push(`the cache ${cache.megatestDb} cannot be read (${reason})`);
    return sign;
  }
}

const isOpen = ({ openBy }: FoundCache) => openBy !== "unknown" && openBy.length > 0;

function isEmpty({ megatestDb }: FoundCache): boolean {
  const sizeOf = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  return ["", "-wal", "-journal"].every((suffix) => sizeOf(megatestDb + suffix) === 0);
}

function nameProblem({ otherName }: FoundCache, areaName: string): Use | undefined {
  if (otherName === undefined) return undefined;
  const reason =
    otherName === null
      ? "has a name that is not UTF-8"
      : `has the name ${JSON.stringify(otherName)}, not ${JSON.stringify(areaName)}`;
  return { reason, why: "misnamed" };
}

function signOfUse(cache: FoundCache): Use | undefined {
  if (cache.openBy !== "unknown" && cache.openBy.length > 0)
    return { reason: `open in process ${cache.openBy.join(", ")}`, why: "open" };
  return msSince(cache.mtimeMs) < recentMs ? { reason: "changed within a day", why: "recent" } : undefined;
}

import { existsSync } from "node:fs";
import { type Area, openAllowedArea } from "../../shared/area/area.ts";
import { ensureAreaId } from "../../shared/area/area-id.ts";
import { assertReadWrite } from "../../shared/area/cache/assert-read-write.ts";
import { type CachePair, findCache } from "../../shared/area/cache/cache.ts";
import { refillDue } from "../../shared/area/cache/mtime.ts";
import { assertSingleCache } from "../../shared/area/cache/single-cache.ts";
import { assertWritableHistory } from "../../shared/area/history.ts";
import { decideHome, homeText, hostAddress, isLoopback, readHomehost } from "../../shared/area/homehost.ts";
import { createLike, ensurePrivateDir } from "../../shared/area/ownership.ts";
import { cacheReader } from "../../shared/area-db/read-cache.ts";
import {
  assertCompletedKept,
  assertNoJournalLeft,
  assertOneArea,
} from "../../shared/area-db/requirements.ts";
import type { MovePayload } from "../../shared/contract/payload.ts";
import { JobsError } from "../../shared/errors.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import { assertSqliteLoads } from "../../shared/sqlite/connection.ts";
import { ensureCompletedDb, newCompletedDb } from "./completed-db.ts";
import { existingFiles, type Files, filesOf, hotJournals } from "./databases.ts";
import type { JobContext } from "./job-context.ts";
import { openReadonly } from "./open-readonly.ts";
import { Tally } from "./tally.ts";
import { retryWhileBusy } from "./transaction.ts";

/** A job's area and cache, checked and ready to work on. */
export interface OpenedArea {
  area: Area;
  cache: CachePair | undefined;
  files: Files;
  /** Whether Megatest would have refilled the cache; read first, since opening a cache in WAL mode may hide it. */
  refillDue: boolean;
  context: JobContext;
  /** Counts and warnings of the job. */
  tally: Tally;
  /** When the job began, by `performance.now()`. */
  started: number;
}

/**
 * Checks the area and everything that prevents working on it. Changes nothing.
 *
 * @throws JobsError `not-an-area`, `outside-roots`, `not-home`, `not-owner`, `several-caches`, …
 */
export async function openAreaForJob(
  payload: Pick<MovePayload, "area"> & Partial<Pick<MovePayload, "dryRun">>,
  context: JobContext,
): Promise<OpenedArea> {
  const started = performance.now();
  const tally = new Tally();
  const { settings, env } = context;
  assertSqliteLoads();
  const area = openAllowedArea(payload.area, settings, env);
  const warn = warner(area, context, tally);
  const homehost = readHomehost(area);
  const { atHome } = await decideHome(homehost, settings);
  if (atHome === false) throw await notHome(area, String(homehost.value), settings);
  const cache = findCache(area, settings);
  const due = refillDue(area, cache);
  assertReadWrite(area, cache, settings);
  assertWritableHistory(area);
  const completed = existsSync(area.completedDb) ? area.completedDb : undefined;
  const files = filesOf(area, cache);
  // These checks read without rolling back what a dead writer left.
  assertNoJournalLeft(files.completed);
  if (payload.dryRun === true) refuseHotJournals(files);
  await retryWhileBusy(context.signal, () => assertCompletedKept(area, openReadonly));
  if (cache !== undefined) {
    const existing = existingFiles(files);
    await retryWhileBusy(context.signal, () => assertOneArea(area, existing, openReadonly));
  }
  const others = await retryWhileBusy(context.signal, () =>
    assertSingleCache(area, settings, cacheReader(area, completed, openReadonly)),
  );
  for (const warning of others) tally.warn(warning);
  if (atHome === undefined) warn(noHomehost(settings.host));
  if (cache === undefined && isLoopback(homehost.value ?? "")) warn(anyHome(String(homehost.value)));
  if (cache === undefined) {
    warn("there is no cache on this host: the job works on megatest.db only, and creates no cache");
  }
  return { area, cache, files, refillDue: due, context, tally, started };
}

/** Returns the refusal of a job on another host than the homehost; it names the addresses of both. */
export async function notHome(area: Area, homehost: string, settings: Settings): Promise<JobsError> {
  const address = await hostAddress(settings).catch(() => undefined);
  const self = `${settings.host}${address === undefined ? ", which has no address" : ` (${address})`}`;
  return new JobsError("not-home", `${settings.host} is not the homehost of ${area.path}: ${homehost} is`, {
    hint: `run the job on ${homeText(homehost)}: the freshest data is in its cache; this host is ${self}; if it is the homehost, set MTJOBS_ADDRESS=${homehost}`,
    details: { homehost, host: settings.host, address: address ?? null },
  });
}

const anyHome = (homehost: string) =>
  `.homehost is ${homehost}, which several hosts may take for their own; another host may have a cache with newer data`;

const noHomehost = (host: string) =>
  `the area has no homehost (.homehost is missing or empty): the job assumes ${host}; another host may have a cache with newer data`;

/** Returns a function that adds a sentence to the job's log and the result's warnings. */
function warner(area: Area, context: JobContext, tally: Tally): (sentence: string) => void {
  return (sentence) => {
    context.log(`${area.path}: ${sentence}.`);
    tally.warn(sentence);
  };
}

/** @throws JobsError `busy` if reading would roll back what a dead writer left */
export function refuseHotJournals(files: Files): void {
  const hot = hotJournals(files);
  if (hot.length === 0) return;
  throw new JobsError("busy", `a writer is active, or died, in ${hot.join(", ")}: it has a hot journal`, {
    hint: "a dry run only reads and does not roll it back; try again, or run the job itself",
    details: { hotJournals: hot },
  });
}

/** Creates the program's files in the area if missing, and returns the area's id. Replaces nothing. */
export function prepareArea({ area, files }: Pick<OpenedArea, "area" | "files">): string {
  assertNoJournalLeft(files.completed);
  assertCompletedKept(area, openReadonly);
  ensurePrivateDir(area);
  const areaId = ensureAreaId(area);
  const sources = [files.area, ...(files.cache === undefined ? [] : [files.cache])];
  // Created with its content: an empty file would be taken for one whose runs are lost.
  const isNew =
    !existsSync(files.completed) && createLike(files.completed, files.area, newCompletedDb(sources));
  if (!isNew) ensureCompletedDb(files.completed, sources);
  return areaId;
}

import { existsSync } from "node:fs";
import { type Area, openAllowedArea } from "../../shared/area/area.ts";
import { type CachePair, findCache } from "../../shared/area/cache.ts";
import {
  decideHome,
  type HomeDecision,
  homeText,
  isLoopback,
  readHomehost,
} from "../../shared/area/homehost.ts";
import { targetKeys } from "../../shared/area/keys.ts";
import { refillDue } from "../../shared/area/mtime.ts";
import { assertReadWrite } from "../../shared/area/ownership.ts";
import { assertSingleCache } from "../../shared/area/single-cache.ts";
import { JobsError } from "../../shared/errors.ts";
import type { JobContext } from "../../shared/job-context.ts";
import type { MovePayload } from "../../shared/queue/payload.ts";
import type { MoveResult } from "../../shared/result.ts";
import type { Settings } from "../../shared/settings.ts";
import type { Connection } from "../../shared/sqlite/connection.ts";
import { NameSet } from "../../shared/sqlite/names.ts";
import { cacheReader } from "../../shared/sqlite/read-cache.ts";
import { columnNames } from "../../shared/sqlite/table.ts";
import {
  assertMegatestSchema,
  assertNoJournalLeft,
  connect,
  filesOf,
  hotJournals,
  sourcesOf,
} from "./databases.ts";
import { defaultDeadAfterMs } from "./judge.ts";
import { assertCompletedKept } from "./lost-completed.ts";
import type { Files, Move } from "./move.ts";
import { assertOneArea } from "./one-area.ts";
import { openQuietly } from "./open-quietly.ts";
import { Pace } from "./pace.ts";
import { Plans } from "./plans.ts";
import { Tally } from "./tally.ts";
import { TimeBudget } from "./time-budget.ts";
import { outwaitBusy } from "./transaction.ts";

/** A job's area and cache, checked and ready to work on. */
export interface Place {
  area: Area;
  cache: CachePair | undefined;
  files: Files;
  /** Whether Megatest would have refilled the cache; read first, since opening a cache in WAL mode may hide it. */
  refillDue: boolean;
}

/**
 * Checks the area and everything that prevents working on it. Changes nothing.
 *
 * @throws JobsError `not-an-area`, `outside-roots`, `not-home`, `not-owner`, `several-caches`, …
 */
export async function openPlace(
  payload: Pick<MovePayload, "area"> & Partial<Pick<MovePayload, "dryRun">>,
  context: JobContext,
  tally: Tally,
): Promise<Place> {
  const { settings, env } = context;
  const area = openAllowedArea(payload.area, settings, env);
  const say = warner(area, context, tally);
  const homehost = readHomehost(area);
  const home = await decideHome(homehost, settings);
  const { atHome } = home;
  if (atHome === false) throw notHome(area, String(homehost.value), home, settings);
  const cache = findCache(area, settings);
  const due = refillDue(area, cache);
  assertReadWrite(area, cache, settings);
  const completed = existsSync(area.completedDb) ? area.completedDb : undefined;
  const files = filesOf(area, cache);
  // These checks read without rolling back what a dead writer left.
  assertNoJournalLeft(files);
  if (payload.dryRun === true) refuseHotJournals(files);
  await outwaitBusy(context.signal, () => assertCompletedKept(files));
  if (cache !== undefined) {
    await outwaitBusy(context.signal, () => assertOneArea(area, cache, completed));
  }
  const others = await outwaitBusy(context.signal, () =>
    assertSingleCache(area, settings, cacheReader(area, completed, openQuietly)),
  );
  for (const warning of others) tally.warn(warning);
  if (atHome === undefined) say(noHomehost(settings.host));
  if (cache === undefined && isLoopback(homehost.value ?? "")) say(anyHome(String(homehost.value)));
  if (cache === undefined) {
    say("there is no cache on this host: the job works on megatest.db only, and creates no cache");
  }
  return { area, cache, files, refillDue: due };
}

function notHome(area: Area, homehost: string, { address }: HomeDecision, settings: Settings): JobsError {
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

/** The part of a job's payload that a move needs, and the kind it is counted as. */
interface MoveKind {
  payload: Partial<Pick<MovePayload, "age" | "deadAfter" | "between" | "maxTime" | "tz" | "dryRun">>;
  job: MoveResult["job"];
}

/** Connects to the existing databases. `token` is 0 for a dry run, which only reads. */
export function openMove(place: Place, kind: MoveKind, context: JobContext, tally: Tally): Move {
  const db = connect(place.files, [...sourcesOf(place.files), "completed"]);
  try {
    return moveOn(db, place, kind, context, tally);
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Runs `openMove` on a connection with the databases and completed-runs.db attached; it stays the caller's. */
export function moveOn(
  db: Connection,
  { area, files }: Pick<Place, "area" | "files">,
  { payload, job }: MoveKind,
  context: JobContext,
  tally: Tally,
): Move {
  const sources = sourcesOf(files);
  assertMegatestSchema(db, files);
  const keys = knownKeys(db, area);
  const now = Date.now();
  const fresh = sources.includes("cache") ? "cache" : "area";
  const plans = new Plans({ db, sources, keys });
  const move: Move = {
    context,
    area,
    files,
    sources,
    fresh,
    db,
    keys,
    plans,
    records: plans.records,
    token: 0,
    pace: new Pace(fresh),
    time: new TimeBudget(payload),
    now,
    recentAfter: Math.floor(
      (now - Math.max(payload.age ?? 0, payload.deadAfter ?? defaultDeadAfterMs)) / 1000,
    ),
    tally,
    counts: { reduce: new Tally(), restore: new Tally(), [job === "restore" ? job : "reduce"]: tally },
  };
  return move;
}

function knownKeys(db: Connection, area: Area): string[] {
  const keys = targetKeys(area.config);
  const columns = new NameSet(columnNames(db, "area", "runs"));
  const missing = keys.filter((key) => !columns.has(key));
  if (missing.length === 0) return keys;
  throw new JobsError(
    "unknown-schema",
    `table runs of ${area.megatestDb} has no column ${missing.join(", ")}`,
    {
      hint: "make [fields] in megatest.config match the database",
    },
  );
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

import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MoveResult, Progress } from "../../shared/contract/move-result.ts";
import { currentUser } from "../../shared/process.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import { checkRequest } from "../jobs/check-move.ts";
import { enqueueJob } from "../jobs/enqueue.ts";
import { followJob } from "../jobs/follow.ts";
import { type Session, withSession } from "../jobs/session.ts";
import { type Measurement, measure } from "./measure.ts";
import { buildArea, type SampleArea } from "./sample-area/build-area.ts";
import { startWorker } from "./worker-process.ts";

export interface DemoOptions {
  settings: Settings;
  env: NodeJS.ProcessEnv;
  /** The command's script, for the worker's process. */
  commandPath: string;
  keepArea: boolean;
  /** Aborted: everything is removed and the demo ends with `interrupted`. */
  signal: AbortSignal;
  onNote: (sentence: string) => void;
  onProgress: (progress: Progress) => void;
}

export interface DemoReport {
  /** The area's directory; null if it was removed. */
  area: string | null;
  /** The settings that commands on the area need. */
  settings: Settings;
  before: Measurement;
  after: Measurement;
  result: MoveResult;
}

const shape = { runs: 200, testsPerRun: 20, stepsPerTest: 6, dataPerTest: 5 } as const;
const day = 24 * 60 * 60 * 1000;

/**
 * Builds a sample area, starts a worker, reduces the area and measures it. Removes everything afterwards, also
 * after an error; after a success `keepArea` keeps the area.
 */
export async function runDemo(options: DemoOptions): Promise<DemoReport> {
  const base = mkdtempSync(join(realpathSync(tmpdir()), "mtjobs-demo-"));
  const name = base.slice(base.lastIndexOf("-") + 1);
  const settings: Settings = {
    ...options.settings,
    prefix: `{mtjobs-demo-${name}}`,
    host: "demo-host",
    address: undefined,
    areas: [base],
    cacheRoot: join(base, "tmp"),
    user: currentUser().username,
    logLevel: "warn",
  };
  let kept = false;
  try {
    const report = await withSession(settings, (session) => play(session, base, options));
    kept = options.keepArea;
    return kept ? report : { ...report, area: null };
  } finally {
    if (!kept) rmSync(base, { recursive: true, force: true });
  }
}

async function play(session: Session, base: string, options: DemoOptions): Promise<DemoReport> {
  const { settings } = session;
  const { runs, testsPerRun, stepsPerTest, dataPerTest } = shape;
  const records = runs * (1 + testsPerRun * (1 + stepsPerTest + dataPerTest));
  options.onNote(`building an area of ${runs} runs, ${records.toLocaleString("en-US")} records, in ${base}`);
  const area = build(base, settings);
  const completedDb = join(area.directory, "completed-runs.db");
  const before = measure(area, completedDb);
  options.onNote("starting a worker");
  const worker = await startWorker(session, options);
  try {
    const result = await reduce(session, area, options);
    return { area: area.directory, settings, before, after: measure(area, completedDb), result };
  } finally {
    await worker.stop();
    await forget(session).catch(() => {});
  }
}

function build(base: string, { cacheRoot, user, host }: Settings): SampleArea {
  return buildArea({ ...shape, directory: join(base, "area"), cacheRoot, user, host });
}

async function reduce(
  session: Session,
  { directory }: SampleArea,
  options: DemoOptions,
): Promise<MoveResult> {
  const request = { area: directory, age: 30 * day, compact: "always" } as const;
  const { settings } = session;
  const checked = await checkRequest("reduce", request, { settings, cwd: directory, env: options.env });
  const enqueued = await enqueueJob(session, checked);
  options.onNote(`enqueued ${enqueued.jobId}: reduce all runs older than 30 days`);
  const { result, error } = await followJob<MoveResult>(session, enqueued, {
    signal: options.signal,
    onProgress: options.onProgress,
    onNote: options.onNote,
  });
  if (error !== undefined) throw error;
  return result;
}

/** Removes the demo's keys from Redis; its prefix is unique. */
async function forget({ redis, settings }: Session): Promise<void> {
  for await (const keys of redis.scanStream({ match: `${settings.prefix}:*`, count: 1000 })) {
    if ((keys as string[]).length > 0) await redis.unlink(...(keys as string[]));
  }
}

import { spawn } from "node:child_process";
import { once } from "node:events";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import type { MoveResult, RunLabel, SkipReason } from "../../../shared/contract/move-result.ts";
import {
  type ImportPayload,
  type MoveName,
  type PurgePayload,
  parsePayload,
  type ReducePayload,
  type RestorePayload,
} from "../../../shared/contract/payload.ts";
import { resolveSettings } from "../../../shared/settings/settings.ts";
import type { JobContext } from "../../../workers/area-db/job-context.ts";
import { filesOf } from "../area/temp-area.ts";
import { assertNothingLost, type NothingLostOptions } from "../oracle/assert-nothing-lost.ts";
import type { Union } from "../oracle/records.ts";
import { unionOfRuns } from "../oracle/union.ts";
import { builtCommand } from "./run-command.ts";

export type ReduceOptions = Partial<Omit<ReducePayload, "v" | "area">>;
export type RestoreOptions = Partial<Omit<RestorePayload, "v" | "area">>;
export type PurgeOptions = Partial<Omit<PurgePayload, "v" | "area">>;
export type ImportOptions = Partial<Omit<ImportPayload, "v" | "area">>;

export interface RunOptions {
  /** Called at each step by name; an exception ends the job there. */
  failpoint?: (name: string) => void;
  /** Another host than the area's. */
  host?: string;
  jobId?: string;
  /** Called with each sentence of the job's log. */
  onLog?: (sentence: string) => void;
  signal?: AbortSignal;
  /** As for a worker's job that has attempts left. */
  triedAgain?: boolean;
  /** As for a job that no queue has. */
  inline?: boolean;
}

export interface Reduced {
  result: MoveResult;
  /** The job's log, one sentence per element. */
  story: string[];
}

let jobs = 0;

/** Runs a reduce in this process, of every run by default; its source threads run from `dist/`. */
export function runReduce(
  area: SampleArea,
  options: ReduceOptions = {},
  run: RunOptions = {},
): Promise<Reduced> {
  return runMove("reduce", area, options, run);
}

/** Does the same for a repair, which selects no run. */
export function runRepair(area: SampleArea, run: RunOptions = {}): Promise<Reduced> {
  return runMove("repair", area, {}, run);
}

/** Does the same for a restore, by default without a grace period. */
export function runRestore(
  area: SampleArea,
  options: RestoreOptions = {},
  run: RunOptions = {},
): Promise<Reduced> {
  return runMove("restore", area, { grace: 0, ...options }, run);
}

/** Does the same for a purge. */
export function runPurge(area: SampleArea, options: PurgeOptions, run: RunOptions = {}): Promise<Reduced> {
  return runMove("purge", area, options, run);
}

/** Does the same for an import. */
export function runImport(
  area: SampleArea,
  file: string,
  options: ImportOptions = {},
  run: RunOptions = {},
): Promise<Reduced> {
  return runMove("import", area, { file, ...options }, run);
}

async function runMove(
  name: MoveName | "repair",
  area: SampleArea,
  options: ReduceOptions | RestoreOptions | PurgeOptions | ImportOptions,
  {
    failpoint = () => {},
    host = area.host,
    jobId,
    onLog,
    signal = new AbortController().signal,
    triedAgain = false,
    inline = false,
  }: RunOptions,
): Promise<Reduced> {
  // Loaded when it is called: it is half of the worker, and many tests run no job in their own process.
  const { runJob } = await import("../../../workers/job-thread/job-table.ts");
  const story: string[] = [];
  const context: JobContext = {
    jobId: jobId ?? `job-${process.pid}-${++jobs}`,
    settings: resolveSettings({ flags: { host, user: area.user, cacheRoot: area.cacheRoot } }),
    env: {},
    signal,
    triedAgain,
    inline,
    log: (sentence) => {
      story.push(sentence);
      onLog?.(sentence);
    },
    progress: () => {},
    failpoint,
  };
  const payload = parsePayload(name === "repair" ? "reduce" : name, {
    v: 1,
    area: area.directory,
    ...(name === "import" ? {} : { compact: "never", ...all }),
    ...options,
  });
  return { result: await runJob(name, payload, context), story };
}

const all = { runname: "%" };

export function unionOf(area: SampleArea): Union {
  return unionOfRuns(filesOf(area));
}

/** Runs a reduce and asserts that no record was lost, duplicated or changed. */
export async function reduceSafely(
  area: SampleArea,
  options: ReduceOptions = {},
  { losses = {}, ...run }: RunOptions & { losses?: NothingLostOptions } = {},
): Promise<Reduced & { before: Union; after: Union }> {
  const before = unionOf(area);
  const reduced = await runReduce(area, options, run);
  const after = unionOf(area);
  assertNothingLost(before, after, losses);
  return { ...reduced, before, after };
}

/** Returns the ids of the moved runs, sorted; all must be below 2^53. */
export function movedIds(result: MoveResult): number[] {
  return result.runs.map(({ id }: RunLabel) => Number(id)).sort((a, b) => a - b);
}

/** Returns each remaining run's reason, by id. */
export function skippedBy(result: MoveResult): Record<number, SkipReason> {
  return Object.fromEntries(result.skipped.map(({ id, reason }) => [id, reason]));
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Runs `mtjobs reduce AREA … --inline --json` as a process, which a failpoint may kill. */
export function runReduceProcess(
  area: SampleArea,
  flags: readonly string[],
  env: Record<string, string> = {},
): Promise<Ended> {
  return runJobProcess("reduce", area, flags, env);
}

/** Does the same for any job. */
export async function runJobProcess(
  name: MoveName,
  area: SampleArea,
  flags: readonly string[],
  env: Record<string, string> = {},
): Promise<Ended> {
  // An import names its file first.
  const [file = "", ...rest] = flags;
  const words = name === "import" ? [file, area.directory, ...rest] : [area.directory, ...flags];
  const child = spawn(process.execPath, [builtCommand, name, ...words, "--inline", "--json"], {
    env: {
      PATH: process.env.PATH,
      MTJOBS_REDIS_URL: "redis://127.0.0.1:1",
      MTJOBS_HOST: area.host,
      MTJOBS_USER: area.user,
      MTJOBS_CACHE_ROOT: area.cacheRoot,
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  await once(child, "close");
  return { code: child.exitCode, signal: child.signalCode, stdout, stderr };
}

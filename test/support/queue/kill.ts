import { cpSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import type { FailpointName } from "../../../workers/area-db/failpoint-names.ts";
import { filesOf } from "../area/temp-area.ts";
import { temporaryDirectory } from "../area/temp-directory.ts";
import { isRefillDue } from "../megatest/refill.ts";
import { assertNothingLost, type NothingLostOptions } from "../oracle/assert-nothing-lost.ts";
import type { AreaFiles, Union } from "../oracle/records.ts";
import { unionOfRuns } from "../oracle/union.ts";
import { type ReduceOptions, runReduce, runReduceProcess, unionOf } from "./run-reduce.ts";

/** Every run, unless the flags contain a selector. */
const everyRun = ["--runname", "%"];

/**
 * Starts `mtjobs reduce --inline` as a process that is killed the `pass`th time it passes `step`.
 * @returns `SIGKILL`, or 0 if it never passed the step that often and completed
 */
export async function reduceAndKill(
  area: SampleArea,
  step: FailpointName,
  pass: number,
  flags: readonly string[] = [],
): Promise<"SIGKILL" | 0> {
  const { code, signal, stderr } = await runReduceProcess(area, [...everyRun, ...flags], {
    MTJOBS_FAILPOINT: `${step}:${pass}=kill`,
  });
  if (signal === "SIGKILL") return signal;
  expect(code, stderr).toBe(0);
  return 0;
}

export async function reduceToTheEnd(area: SampleArea, options: ReduceOptions = {}): Promise<void> {
  const { result } = await runReduce(area, options);
  expect(result).toMatchObject({ state: "completed" });
}

/** Asserts that after a dead job no record is lost and no Megatest process would refill the cache. */
export function assertUnharmed(area: SampleArea, before: Union, losses: NothingLostOptions = {}): void {
  assertNoRefill(area);
  // Read from a copy: opening the databases rolls back what the dead job left, which the next job must do.
  assertNothingLost(before, unionOfRuns(copiedFiles(area)), { ...losses, unfinished: true });
}

function assertNoRefill(area: SampleArea): void {
  if (isThere(area.cacheDb)) expect(isRefillDue(area)).toBe(false);
}

function copiedFiles(area: SampleArea): AreaFiles {
  const copy = temporaryDirectory();
  cpSync(area.directory, join(copy, "area"), { recursive: true });
  if (isThere(area.cacheDirectory)) cpSync(area.cacheDirectory, join(copy, "cache"), { recursive: true });
  const { megatestDb, completedDb, cacheDb, refDb } = filesOf(area);
  const inCopy = (file: string) =>
    file.replace(area.directory, join(copy, "area")).replace(area.cacheDirectory, join(copy, "cache"));
  return {
    megatestDb: inCopy(megatestDb),
    completedDb: inCopy(completedDb),
    ...(cacheDb === undefined ? {} : { cacheDb: inCopy(cacheDb) }),
    ...(refDb === undefined ? {} : { refDb: inCopy(refDb) }),
  };
}

/** Asserts that every run that may move has moved, nothing was lost, and no job holds the area. */
export function assertFinished(area: SampleArea, before: Union, losses: NothingLostOptions = {}): void {
  const after = unionOf(area);
  assertNothingLost(before, after, losses);
  const runs = [...after.records.values()].filter(({ table }) => table === "runs");
  const left = runs.filter(({ spaces }) => spaces.has("area")).map(({ id }) => id);
  expect(left.sort()).toEqual(area.inFlight.map((id) => `i:${id}`).sort());
  assertNoRefill(area);
  assertReleased(area);
  const jobs = historyOf(area).map(({ jobId }) => jobId);
  expect(new Set(jobs).size).toBe(jobs.length);
}

/** Asserts that the lease is released, every database has the same token, and no journal is left. */
export function assertReleased(area: SampleArea): void {
  const fences = fencesOf(area);
  expect(fences.area?.holder).toBeNull();
  expect(new Set(Object.values(fences).map((fence) => fence?.token)).size).toBe(1);
  for (const file of Object.values(filesOf(area))) {
    expect(statSync(`${file}-journal`, { throwIfNoEntry: false })?.size ?? 0).toBe(0);
  }
}

export interface FenceRow {
  token: number;
  holder: string | null;
  expires_at: number;
}

/** A file's role in the fence. */
export type FencePart = "area" | "cache" | "ref" | "completed";

/** Returns the file of a part, whether it exists or not. */
export function fenceFile(area: SampleArea, part: FencePart): string {
  const { megatestDb, completedDb } = filesOf(area);
  return { area: megatestDb, cache: area.cacheDb, ref: area.refDb, completed: completedDb }[part];
}

export function fencesOf(area: SampleArea): Partial<Record<FencePart, FenceRow | undefined>> {
  const parts = ["area", "cache", "ref", "completed"] as const;
  const there = parts.filter((part) => isThere(fenceFile(area, part)));
  return Object.fromEntries(there.map((part) => [part, fenceOf(fenceFile(area, part))]));
}

export function fenceOf(file: string): FenceRow | undefined {
  const db = new Database(file, { fileMustExist: true, timeout: 10_000 });
  try {
    if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'mtjobs_fence'").get() === undefined)
      return undefined;
    return db.prepare<[], FenceRow>("SELECT token, holder, expires_at FROM mtjobs_fence").get();
  } finally {
    db.close();
  }
}

/**
 * Returns the lines of the area's history, oldest first. A line torn by a power failure, which only has its length,
 * is skipped.
 */
export function historyOf(area: SampleArea): { jobId: string; state: string }[] {
  const file = join(area.directory, ".mtjobs", "history.jsonl");
  if (!isThere(file)) return [];
  return readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .filter((line) => !line.includes("\0"))
    .map((line) => JSON.parse(line) as { jobId: string; state: string });
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Returns true if the process is stopped (SIGSTOP); Linux only. */
export function isStopped(pid: number | undefined): boolean {
  const stat = `/proc/${pid}/stat`;
  if (!isThere(stat)) return false;
  const text = readFileSync(stat, "utf8");
  return text.slice(text.lastIndexOf(")") + 2).startsWith("T");
}

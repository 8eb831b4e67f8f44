import { readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect } from "vitest";
import type { Check } from "../../../producers/contract/area.ts";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { addSecondCache } from "../area/odd-values.ts";
import { documentOf, type Finished, runCommand } from "./run-command.ts";
import { reduceSafely } from "./run-reduce.ts";

/** Brings an area into a state. */
export type Spoil = (area: SampleArea) => unknown;

/** Runs SQL that SQLite's defensive mode refuses. */
export function runUnsafe(file: string, sql: string): void {
  const db = new Database(file);
  try {
    db.unsafeMode(true);
    db.exec(sql);
  } finally {
    db.close();
  }
}

/** Makes files look unused for two days. */
function age(directory: string): void {
  const then = Date.now() / 1000 - 2 * 86_400;
  for (const name of readdirSync(directory)) utimesSync(join(directory, name), then, then);
}

/** Another user's cache, two days old. */
export function oldCache(area: SampleArea, sql?: string): void {
  const { cacheDb, cacheDirectory } = addSecondCache(area, "root");
  if (sql !== undefined) runUnsafe(cacheDb, sql);
  age(cacheDirectory);
}

/** With one run in completed-runs.db. */
export const afterReduce =
  (spoil: Spoil): Spoil =>
  async (area) => {
    await reduceSafely(area, { runname: undefined, runId: [1] });
    await spoil(area);
  };

/** What `mtjobs doctor` says of an area, and what becomes of a job there. */
export async function doctorAndJob(
  area: SampleArea,
  options: { uid?: number; gid?: number; host?: string } = {},
): Promise<{ job: Finished; checks: Check[]; faults: Check[] }> {
  const { host = area.host, ...user } = options;
  const env = { MTJOBS_HOST: host, MTJOBS_USER: area.user, MTJOBS_CACHE_ROOT: area.cacheRoot };
  const command = (args: string[]) => runCommand([...args, "--json"], { env, ...user });
  const doctor = await command(["doctor", area.directory]);
  const job = await command(["reduce", area.directory, "--runname", "%", "--inline"]);
  const { ok, checks } = documentOf(doctor) as { ok: boolean; checks: Check[] };
  expect(doctor.code).toBe(ok ? 0 : 1);
  return { job, checks, faults: checks.filter((check) => check.ok === false) };
}

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect } from "vitest";
import { JobsError, toJobsError } from "../../../shared/errors.ts";
import { resolveSettings, type Settings } from "../../../shared/settings/settings.ts";

/** Makes an area without records: `files` by name, beside a plain config and a database file. */
export function makeArea(path: string, files: Record<string, string> = {}): string {
  mkdirSync(path, { recursive: true });
  const all = { "megatest.config": "[fields]\nsysname TEXT\n", "megatest.db": "", ...files };
  for (const [name, text] of Object.entries(all)) writeFile(join(path, name), text);
  return path;
}

/** Writes a file with the directories it needs. */
export function writeFile(path: string, text: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

/** Settings of a host named `hostA` at 10.1.2.3. */
export function settingsFor(flags: Partial<Settings> = {}): Settings {
  return resolveSettings({ flags: { host: "hostA", address: "10.1.2.3", ...flags } });
}

/** The JobsError that `act` throws. */
export function errorOf(act: () => unknown): JobsError {
  try {
    act();
  } catch (error) {
    if (error instanceof JobsError) return error;
    throw error;
  }
  return expect.fail("nothing was thrown");
}

/** What `job` is rejected with, as a JobsError. */
export async function rejectionOf(job: Promise<unknown>): Promise<JobsError> {
  const error = await job.then(
    () => undefined,
    (thrown: unknown) => toJobsError(thrown),
  );
  return error ?? expect.fail("it was not rejected");
}

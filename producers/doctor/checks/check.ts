import { nameDatabase } from "../../../shared/area-db/name-database.ts";
import { defined } from "../../../shared/defined.ts";
import { filesAtHand } from "../../../shared/sqlite/connection.ts";
import type { Check } from "../../contract/area.ts";

/** Remedy for what jobs left behind. */
export const repair = "run mtjobs doctor --repair, or any job";

/** What the checks are about. The docs list each. */
export const checkSubjects = [
  "area-id",
  "cache",
  "caches",
  "caches-unseen",
  "closed-cache",
  "config",
  "directories",
  "fence",
  "free-space",
  "guards",
  "half-moved",
  "history",
  "home-files",
  "home-policy",
  "homehost",
  "id-room",
  "ids",
  "in-both",
  "installation",
  "integrity",
  "journal",
  "lease",
  "left-files",
  "left-strays",
  "migration",
  "one-area",
  "orphans",
  "owners",
  "paused",
  "pinned",
  "purge-records",
  "records",
  "reduce-records",
  "schema",
  "servers",
  "site-schema",
] as const;

type Subject = (typeof checkSubjects)[number];

/** A subject, with the file if there is a check for each database, such as `journal/megatest.db`. */
export type CheckName = Subject | `${Subject}/${string}`;

type Rest = Pick<Check, "remedy" | "details">;

export const good = (name: CheckName, verdict: string, rest: Rest = {}): Check => ({
  name,
  ok: true,
  verdict,
  ...rest,
});

/** A check without a fault: the answer is unknown, or for information only. */
export const note = (name: CheckName, verdict: string, rest: Rest = {}): Check => ({
  name,
  ok: null,
  verdict,
  ...rest,
});

export const bad = (name: CheckName, verdict: string, rest: Rest = {}): Check => ({
  name,
  ok: false,
  verdict,
  ...rest,
});

/** A fault for which a job is refused with that error: `details.code` is its code. */
export function refused(name: CheckName, error: unknown, rest: Rest = {}): Check {
  const { code, message, hint, details } = nameDatabase(error, filesAtHand());
  return bad(name, message, defined({ remedy: hint, details: { ...details, ...rest.details, code } }));
}

/**
 * Runs `body` and returns its checks. An error becomes a verdict under `name`: `busy` (a process is writing, or a
 * journal is hot) counts as unknown, any other error as a fault.
 */
export async function examine(name: CheckName, body: () => Check[] | Promise<Check[]>): Promise<Check[]> {
  try {
    return await body();
  } catch (thrown) {
    const fault = refused(name, thrown);
    if (fault.details?.code !== "busy") return [fault];
    return [{ ...fault, ok: null, verdict: `not checked: ${fault.verdict}` }];
  }
}

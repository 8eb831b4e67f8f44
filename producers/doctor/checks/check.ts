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
  "home-files",
  "home-policy",
  "homehost",
  "id-room",
  "ids",
  "in-both",
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

/**
 * Runs `body` and returns its checks. An error becomes a verdict under `name`: `busy` (a process is writing, or a
 * journal is hot) counts as unknown, any other error as a fault.
 */
export async function examine(name: CheckName, body: () => Check[] | Promise<Check[]>): Promise<Check[]> {
  try {
    return await body();
  } catch (thrown) {
    const { code, message, hint, details } = nameDatabase(thrown, filesAtHand());
    const rest = defined({ remedy: hint, details: { ...details, code } });
    return [code === "busy" ? note(name, `not checked: ${message}`, rest) : bad(name, message, rest)];
  }
}

import { existsSync } from "node:fs";
import { dirname } from "node:path";
import type { Area } from "../area/area.ts";
import { targetKeys } from "../area/config/config.ts";
import { JobsError } from "../errors.ts";
import type { Connection, Part } from "../sqlite/connection.ts";
import { hasHotJournal, isNotEmpty } from "../sqlite/journal.ts";
import { NameSet } from "../sqlite/names.ts";
import { columnNames, hasTable } from "../sqlite/table.ts";
import { hasGuards, lostCompleted } from "./lost-completed.ts";
import { findForeignPart } from "./one-area.ts";
import type { Opener } from "./read-cache.ts";

// What every job requires of an area's databases. A job calls these before it changes anything, and the doctor calls
// the same ones, each with its own way to open a database: so they never disagree.

/**
 * Refuses a completed-runs.db that is missing while its journal exists: SQLite would roll the journal back into the
 * new file.
 *
 * @throws JobsError `conflict`
 */
export function assertNoJournalLeft(completed: string): void {
  // Checked again: another job may have created it, and be using it.
  if (existsSync(completed) || !hasHotJournal(completed) || existsSync(completed)) return;
  throw new JobsError("conflict", `${completed} is missing, but its journal ${completed}-journal exists`, {
    hint: "restore the completed-runs.db that it belongs to; if that is lost, move the journal away",
  });
}

/**
 * Refuses to replace a lost completed-runs.db: a backup restored later would meet other runs there.
 *
 * @throws JobsError `conflict`
 */
export function assertCompletedKept(
  { megatestDb, completedDb }: Pick<Area, "megatestDb" | "completedDb">,
  open: Opener,
): void {
  if (isNotEmpty(completedDb)) return;
  const db = open({ area: megatestDb });
  try {
    if (!hasGuards(db, "area")) return;
  } finally {
    db.close();
  }
  const isThere = existsSync(completedDb);
  // Checked again: another job may have created it, and then the guards.
  if (isNotEmpty(completedDb)) return;
  throw new JobsError("conflict", lostCompleted.text(completedDb, isThere), {
    hint: lostCompleted.remedy,
    details: { file: completedDb },
  });
}

/**
 * Checks by content, not by name, that cache, ref and megatest.db belong to one area: a job removes moved runs from
 * all three.
 *
 * @param files the existing ones, with megatest.db
 * @throws JobsError `conflict`
 */
export function assertOneArea(area: Area, files: Partial<Record<Part, string>>, open: Opener): void {
  const db = open(files);
  try {
    const foreign = findForeignPart(db, targetKeys(area.config), Object.keys(files) as Part[]);
    if (foreign === undefined) return;
    throw new JobsError(
      "conflict",
      `the ${foreign === "cache" ? "cache" : "cache's ref"} ${files[foreign]} has no run in common with ${area.megatestDb}: it belongs to another area`,
      {
        hint: "find out how it came there and move it away; Megatest then creates a cache for this area",
        details: { part: foreign, directory: dirname(files[foreign] ?? "") },
      },
    );
  } finally {
    db.close();
  }
}

/** Tables of every Megatest database, with the columns that identify and link their rows. */
const needed: Record<string, readonly string[]> = {
  runs: ["id"],
  tests: ["id", "run_id"],
  test_steps: ["id", "test_id"],
  test_data: ["id", "test_id"],
};

/** @throws JobsError `unknown-schema` if `part`, of that file, lacks what every Megatest database has */
export function assertMegatestSchema(db: Connection, part: Part, file: string): void {
  for (const [table, columns] of Object.entries(needed)) {
    if (!hasTable(db, part, table)) refuse(`${file} has no table ${table}`);
    const here = new NameSet(columnNames(db, part, table));
    const missing = columns.find((name) => !here.has(name));
    if (missing !== undefined) refuse(`table ${table} of ${file} has no column ${missing}`);
  }
}

function refuse(what: string): never {
  throw new JobsError("unknown-schema", `${what}: not a Megatest database`, {
    hint: "find out what the file is, and restore the right one; nothing was changed",
  });
}

/** Returns the columns of `[fields]`. @throws JobsError `unknown-schema` if table runs of `part` lacks one */
export function knownKeys(
  db: Connection,
  part: Part,
  file: string,
  { config }: Pick<Area, "config">,
): string[] {
  const keys = targetKeys(config);
  const columns = new NameSet(columnNames(db, part, "runs"));
  const missing = keys.filter((key) => !columns.has(key));
  if (missing.length === 0) return keys;
  throw new JobsError(
    "unknown-schema",
    `table runs of ${file} has no column ${missing.join(", ")} named in [fields]`,
    { hint: "make [fields] in megatest.config match the database" },
  );
}

import { lstatSync, readdirSync, realpathSync, rmdirSync, rmSync, unlinkSync } from "node:fs";
import { resolve, sep } from "node:path";
import Database from "better-sqlite3";

/** A test as `-remove-runs` reads it. */
interface Removable {
  id: number;
  rundir: string | null;
}

export interface RemoveOptions {
  /**
   * Everything to remove must lie below: the emulation must not leave the test. Without it no directory is removed.
   */
  within?: string;
  /** Megatest's working directory, the base of a relative `rundir`. */
  cwd?: string;
}

/** Seconds for which Megatest keeps a hidden test. */
const keptHidden = 30 * 24 * 3600;

/**
 * Emulates Megatest's `-remove-runs`: removes the directory that each test's `rundir` names, through the link, and
 * the link; then the rows, which stay in the cache as hidden ones. A locked run stays. Finally it deletes, as every
 * `-remove-runs` does, all hidden tests older than 30 days, of any run.
 *
 * @returns the removed directories
 */
export function removeRuns(
  cacheDb: string,
  runIds: readonly number[],
  { within, cwd = within }: RemoveOptions = {},
): string[] {
  const db = new Database(cacheDb, { timeout: 136_000, fileMustExist: true });
  try {
    db.pragma("foreign_keys = OFF");
    db.pragma("synchronous = OFF");
    const removed: string[] = [];
    for (const runId of runIds) {
      for (const rundir of hideRun(db, runId))
        if (within !== undefined && cwd !== undefined)
          removed.push(...removeDirectory(resolve(cwd, rundir), within));
    }
    db.prepare("DELETE FROM tests WHERE state = 'DELETED' AND event_time < ?").run(
      Math.floor(Date.now() / 1000) - keptHidden,
    );
    return removed;
  } finally {
    db.close();
  }
}

/** Returns the `rundir`s of its tests, the longest first. */
function hideRun(db: Database.Database, runId: number): string[] {
  const state = db.prepare("SELECT state FROM runs WHERE id = ?").pluck().get(runId);
  if (state === "locked" || state === "deleted") return [];
  const tests = db
    .prepare(
      "SELECT id, rundir FROM tests WHERE run_id = ? AND state <> 'DELETED' ORDER BY length(rundir) DESC",
    )
    .all(runId) as Removable[];
  for (const { id } of tests) {
    for (const table of ["test_steps", "test_data"])
      db.prepare(`DELETE FROM ${table} WHERE test_id = ?`).run(id);
    db.prepare("UPDATE tests SET state = 'DELETED', status = 'n/a', comment = '' WHERE id = ?").run(id);
  }
  db.prepare("UPDATE runs SET state = 'deleted', comment = '' WHERE id = ?").run(runId);
  return tests.map(({ rundir }) => rundir ?? "");
}

function removeDirectory(rundir: string, within: string): string[] {
  const link = lstatSync(rundir, { throwIfNoEntry: false });
  if (link === undefined) return [];
  const real = realpathSync(rundir);
  if (!real.startsWith(realpathSync(within) + sep)) throw new Error(`${real} is outside of ${within}`);
  rmSync(real, { recursive: true });
  if (link.isSymbolicLink()) unlinkSync(rundir);
  else if (lstatSync(rundir, { throwIfNoEntry: false }) && readdirSync(rundir).length === 0)
    rmdirSync(rundir);
  return [real];
}

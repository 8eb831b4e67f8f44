import { lstatSync, readdirSync, realpathSync, rmdirSync, rmSync, unlinkSync } from "node:fs";
import { resolve, sep } from "node:path";
import Database from "better-sqlite3";

/** A test as `-remove-runs` reads it. */
interface Removable {
  id: number;
  rundir: string | null;
}

export interface RemoveOptions {
  cacheDb: string;
  runId: number;
  /** Everything that is removed lies below: an emulation must not reach out of its test. */
  within: string;
  /** Where Megatest was started: a relative `rundir` begins there. */
  cwd?: string;
}

/**
 * Megatest's `-remove-runs` of one run with all its tests: the directory that each test's `rundir` names, through the
 * link, and the link; then the rows, which stay in the cache as hidden ones. Returns the directories that were removed.
 * A locked run stays.
 */
export function removeRun({ cacheDb, runId, within, cwd = within }: RemoveOptions): string[] {
  const db = new Database(cacheDb, { timeout: 136_000, fileMustExist: true });
  try {
    db.pragma("foreign_keys = OFF");
    db.pragma("synchronous = OFF");
    const state = db.prepare("SELECT state FROM runs WHERE id = ?").pluck().get(runId);
    if (state === "locked" || state === "deleted") return [];
    const tests = db
      .prepare(
        "SELECT id, rundir FROM tests WHERE run_id = ? AND state <> 'DELETED' ORDER BY length(rundir) DESC",
      )
      .all(runId) as Removable[];
    const removed = tests.flatMap(({ id, rundir }) => {
      const gone = removeDirectory(resolve(cwd, rundir ?? ""), within);
      for (const table of ["test_steps", "test_data"])
        db.prepare(`DELETE FROM ${table} WHERE test_id = ?`).run(id);
      db.prepare("UPDATE tests SET state = 'DELETED', status = 'n/a', comment = '' WHERE id = ?").run(id);
      return gone;
    });
    db.prepare("UPDATE runs SET state = 'deleted', comment = '' WHERE id = ?").run(runId);
    db.exec("DELETE FROM tests WHERE state = 'DELETED' AND event_time < strftime('%s', 'now') - 30 * 86400");
    return removed;
  } finally {
    db.close();
  }
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

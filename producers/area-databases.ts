import { existsSync } from "node:fs";
import Database from "better-sqlite3";
import type { Area } from "../shared/area/area.ts";
import { toJobsError } from "../shared/errors.ts";

/** Who holds the area, as megatest.db tells: a worker or an `--inline` job. */
export interface Lease {
  token: number;
  holder: string;
  jobId: string | null;
  /** ISO 8601; the lease has run out then, whatever became of its holder. */
  expiresAt: string;
  /** ISO 8601 */
  renewedAt: string;
}

/** What a short look into an area's databases tells. */
export interface DatabaseFacts {
  /** Runs in megatest.db, hidden ones left out; null where it cannot be read. */
  runs: number | null;
  /** Runs in completed-runs.db; null where it cannot be read, 0 where there is none. */
  completedRuns: number | null;
  /** null where nobody holds the area. */
  lease: Lease | null;
  /** Sentences on what could not be read. */
  problems: string[];
}

/** Milliseconds to wait for a database that is being written; then it is reported as busy. */
const patience = 500;

/** Reads counts and lease. Read-only: neither file nor journal is created, and no lock is held for longer than a count. */
export function readDatabases({ megatestDb, completedDb }: Area, now: number = Date.now()): DatabaseFacts {
  const problems: string[] = [];
  const attempt = <T>(file: string, read: (db: Database.Database) => T): T | null => {
    let db: Database.Database | undefined;
    try {
      db = new Database(file, { readonly: true, timeout: patience });
      return read(db);
    } catch (error) {
      problems.push(`${file} cannot be read: ${toJobsError(error).message}`);
      return null;
    } finally {
      db?.close();
    }
  };
  const area = attempt(megatestDb, (db) => ({ runs: countRuns(db), lease: readLease(db, now) }));
  return {
    runs: area?.runs ?? null,
    completedRuns: existsSync(completedDb) ? attempt(completedDb, countRuns) : 0,
    lease: area?.lease ?? null,
    problems,
  };
}

/** Megatest shows a run in state `deleted` nowhere; the row of ours that guards ids is one. */
function countRuns(db: Database.Database): number {
  const shown = "SELECT count(*) FROM runs WHERE coalesce(state, '') <> 'deleted'";
  return db.prepare<[], number>(shown).pluck().get() ?? 0;
}

interface FenceRow {
  token: number;
  holder: string | null;
  job_id: string | null;
  expires_at: number;
  renewed_at: number;
}

function readLease(db: Database.Database, now: number): Lease | null {
  const table = db
    .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'mtjobs_fence'")
    .get();
  if (table === undefined) return null;
  const row = db
    .prepare<[], FenceRow>(
      "SELECT token, holder, job_id, expires_at, renewed_at FROM mtjobs_fence WHERE id = 1",
    )
    .get();
  if (row === undefined || row.holder === null || row.expires_at <= now) return null;
  return {
    token: row.token,
    holder: row.holder,
    jobId: row.job_id,
    expiresAt: new Date(row.expires_at).toISOString(),
    renewedAt: new Date(row.renewed_at).toISOString(),
  };
}

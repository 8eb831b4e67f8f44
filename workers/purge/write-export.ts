import { rmSync } from "node:fs";
import { createLike } from "../../shared/area/ownership.ts";
import { type Connection, openConnection, prepared } from "../../shared/sqlite/connection.ts";
import { withoutTriggers } from "../../shared/sqlite/triggers.ts";
import { ownVersion } from "../../shared/version.ts";
import { newCompletedDb } from "../area-db/completed-db.ts";
import { busyTimeoutMs } from "../area-db/databases.ts";
import { renewLease } from "../area-db/lease.ts";
import type { Run } from "../area-db/run.ts";
import { transact } from "../area-db/transaction.ts";
import type { JobSession } from "../move/session/job-session.ts";
import {
  copyRows,
  type Rows,
  type RunContent,
  runContent,
  testContent,
  testRanges,
} from "./export-content.ts";
import { byOthers } from "./exports-place.ts";

/** Version of the table below. */
export const exportVersion = 1;

const createSql = `CREATE TABLE export.mtjobs_export (
  version INTEGER NOT NULL,
  area_id TEXT NOT NULL,
  area_path TEXT NOT NULL,
  run_id INTEGER NOT NULL,
  target TEXT NOT NULL,
  runname TEXT NOT NULL,
  job_id TEXT NOT NULL,
  at INTEGER NOT NULL,
  program TEXT NOT NULL
)`;

/** A run as it is exported. */
export interface Exported extends Run {
  areaId: string;
  superseded: readonly bigint[];
}

/**
 * Writes a run of completed-runs.db to a new database. Replaces an unfinished one at that path, whose directory only
 * trusted users can write to.
 */
export async function writeExport(session: JobSession, run: Exported, path: string): Promise<void> {
  // A dead job's journal would be rolled back into the new database.
  for (const suffix of ["", "-journal"]) rmSync(path + suffix, { force: true });
  const { files } = session;
  createLike(path, files.area, newCompletedDb([files.completed]), byOthers);
  const db = openConnection({ completed: files.completed, export: path }, { busyTimeoutMs });
  try {
    const content: RunContent = { run: run.id, superseded: run.superseded };
    await session.read(() => addRows(db, runContent(session, content), () => describe(db, session, run)));
    for await (const range of testRanges(session, run.id)) {
      await session.read(() => addRows(db, testContent(session, run.id, range)));
      await keepLease(session);
    }
  } finally {
    db.close();
  }
}

/** Writes to completed-runs.db alone do not renew the lease, which is in megatest.db. */
export async function keepLease(session: JobSession): Promise<void> {
  const { db, times, token } = session;
  await session.read(() => renewLease(db, times, token));
}

function addRows(db: Connection, all: readonly Rows[], also: () => void = () => {}): void {
  transact(db, () => {
    also();
    withoutTriggers(db, "export", () => {
      for (const rows of all) copyRows(db, rows);
    });
  });
}

function describe(
  db: Connection,
  { area, context }: JobSession,
  { id, target, runname, areaId }: Exported,
): void {
  db.exec(createSql);
  prepared(db, "INSERT INTO export.mtjobs_export VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)").run(
    exportVersion,
    areaId,
    area.path,
    id,
    target,
    runname,
    context.jobId,
    Date.now(),
    ownVersion(),
  );
}

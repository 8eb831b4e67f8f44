import { assertFenceToken } from "../../area-db/fence.ts";
import { transact } from "../../area-db/transaction.ts";
import type { JobSession } from "../session/job-session.ts";

/** The note in completed-runs.db that ids may have been reused and must be checked, even if the guards hold again. */

export function isRepairPending({ db }: Pick<JobSession, "db">): boolean {
  return db.prepare("SELECT 1 FROM completed.mtjobs_seen WHERE part = 'repair'").get() !== undefined;
}

/** Also forgets what was checked for late rows: new rows may have low ids. */
export function setRepairFlag(session: Pick<JobSession, "db" | "token">): void {
  if (isRepairPending(session)) return;
  const { db, token } = session;
  transact(db, () => {
    assertFenceToken(db, "completed", token, Date.now());
    db.exec("DELETE FROM completed.mtjobs_seen");
    db.exec("INSERT INTO completed.mtjobs_seen VALUES ('repair', 'ids', 1)");
  });
}

/** Call inside the transaction that repairs the ids. */
export function forgetRepair({ db }: Pick<JobSession, "db">): void {
  db.exec("DELETE FROM completed.mtjobs_seen WHERE part = 'repair'");
}

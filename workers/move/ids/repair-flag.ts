import type { DatabaseSession } from "../../area-db/database-session.ts";

/** Returns whether ids may have been reused and must be checked, even if the guards hold again. */
export function isRepairPending({ db }: Pick<DatabaseSession, "db">): boolean {
  return db.prepare("SELECT 1 FROM completed.mtjobs_seen WHERE part = 'repair'").get() !== undefined;
}

/** Also forgets what was checked for late rows: new rows may have low ids. */
export function setRepairFlag(session: DatabaseSession): void {
  if (isRepairPending(session)) return;
  const { db } = session;
  session.commitOnce("completed", () => {
    db.exec("DELETE FROM completed.mtjobs_seen");
    db.exec("INSERT INTO completed.mtjobs_seen VALUES ('repair', 'ids', 1)");
  });
}

/** Call inside the transaction that repairs the ids. */
export function forgetRepair({ db }: Pick<DatabaseSession, "db">): void {
  db.exec("DELETE FROM completed.mtjobs_seen WHERE part = 'repair'");
}

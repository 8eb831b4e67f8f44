import { proveToken } from "../fence.ts";
import type { Move } from "./move.ts";
import { transact } from "./transaction.ts";

/**
 * The note in completed-runs.db that ids may have been handed out again, so that they must be looked at whatever the
 * guards say: guards may stand again by then.
 */

export function isRepairPending({ db }: Pick<Move, "db">): boolean {
  return db.prepare("SELECT 1 FROM completed.mtjobs_seen WHERE part = 'repair'").get() !== undefined;
}

/** New rows may have come under low ids too, so what was looked at for late reports counts no more. */
export function noteRepair(move: Pick<Move, "db" | "token">): void {
  if (isRepairPending(move)) return;
  const { db, token } = move;
  transact(db, () => {
    proveToken(db, "completed", token, Date.now());
    db.exec("DELETE FROM completed.mtjobs_seen");
    db.exec("INSERT INTO completed.mtjobs_seen VALUES ('repair', 'ids', 1)");
  });
}

/** Call inside the transaction that mends the ids. */
export function forgetRepair({ db }: Pick<Move, "db">): void {
  db.exec("DELETE FROM completed.mtjobs_seen WHERE part = 'repair'");
}

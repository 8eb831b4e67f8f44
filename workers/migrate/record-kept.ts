import { proveToken } from "../fence.ts";
import { recordLosers } from "../move/copy.ts";
import type { Move } from "../move/move.ts";
import { outwaitBusy, transact } from "../move/transaction.ts";

/** Commits the versions in `temp.losers` to what is kept in completed-runs.db: before what they stood for is overwritten. */
export async function recordKept(move: Move): Promise<void> {
  const { db, context, token } = move;
  await outwaitBusy(context.signal, () =>
    transact(db, () => {
      proveToken(db, "completed", token, Date.now());
      recordLosers(move, Date.now());
    }),
  );
}

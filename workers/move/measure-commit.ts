import { proveToken } from "../fence.ts";
import type { RemoverOptions } from "./slice-removal.ts";
import { outwaitBusy, transact } from "./transaction.ts";

/** Measures a one-row commit for the batch size: the shortest time that others must wait for a writer. */
export async function measureCommit(options: RemoverOptions): Promise<void> {
  const { db, part, token, pace, signal, beforeCommit } = options;
  await outwaitBusy(signal, () => {
    beforeCommit();
    const started = performance.now();
    transact(db, () => proveToken(db, part, token, Date.now()));
    pace.noteOneRowCommit(performance.now() - started);
  });
}

/** Prepares a slice: leaves megatest.db to a sync if needed, and measures a commit again when due. */
export async function prepareSlice(options: RemoverOptions): Promise<void> {
  await options.beforeSlice();
  if (options.pace.wantsCommit) await measureCommit(options);
}

import { proveToken } from "../fence.ts";
import type { RemoverOptions } from "./slice-removal.ts";
import { outwaitBusy, transact } from "./transaction.ts";

/** Tells the pace what a commit of one row takes here: the least that anybody has to wait for a writer. */
export async function measureCommit(options: RemoverOptions): Promise<void> {
  const { db, part, token, pace, signal, beforeCommit } = options;
  await outwaitBusy(signal, () => {
    beforeCommit();
    const started = performance.now();
    transact(db, () => proveToken(db, part, token, Date.now()));
    pace.noteOneRowCommit(performance.now() - started);
  });
}

/** What is due before a slice: leaving megatest.db to a sync for a while, measuring a commit anew. */
export async function prepareSlice(options: RemoverOptions): Promise<void> {
  await options.beforeSlice();
  if (options.pace.wantsCommit) await measureCommit(options);
}

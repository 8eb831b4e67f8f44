import { statSync } from "node:fs";
import { type CopyOptions, copyChanges, type Trio } from "./copy-changes.ts";

export interface SyncOptions extends CopyOptions {
  /** Milliseconds for which megatest.db must not have been modified; Megatest's 4,000 is the default. */
  quietMs?: number;
}

export interface SyncResult {
  /** False where megatest.db was modified just now: nothing was read then. */
  ran: boolean;
  /** Rows written, by table. */
  rows: Record<string, number>;
}

/** What a Megatest server does every few seconds: changes of the cache go to the ref, then to megatest.db. */
export async function syncOnce(trio: Trio, options: SyncOptions = {}): Promise<SyncResult> {
  const age = Date.now() - statSync(trio.megatestDb).mtimeMs;
  if (age < (options.quietMs ?? 4000)) return { ran: false, rows: {} };
  const route = { source: trio.cacheDb, reference: trio.refDb, target: trio.megatestDb };
  return { ran: true, rows: await copyChanges(route, options) };
}

import { statSync } from "node:fs";
import { loadavg } from "node:os";
import { type CopyOptions, copyChanges, type Trio } from "./copy-changes.ts";

export interface SyncOptions extends CopyOptions {
  /** Milliseconds since the last change of megatest.db; default: the 4,000 of the kind without `last_update`. */
  quietMs?: number;
  /**
   * When the last sync began, ms since 1970; the kind with `last_update` waits only if megatest.db is older than
   * that.
   */
  lastBegunAt?: number | undefined;
}

/** The pause of the kind that carries `last_update`, in ms. */
export const pauseMs = (load: number) => 3_000 + 30_000 * load;

export interface SyncResult {
  /** False if megatest.db was modified just now: nothing was read then. */
  ran: boolean;
  /** Rows written, by table. */
  rows: Record<string, number>;
}

/** Emulates a Megatest server's periodic sync: copies changes of the cache to the ref, then to megatest.db. */
export async function syncOnce(trio: Trio, options: SyncOptions = {}): Promise<SyncResult> {
  if (mustWait(trio, options)) return { ran: false, rows: {} };
  const { cacheDb, refDb, megatestDb, syncsLastUpdate } = trio;
  const route = { source: cacheDb, reference: refDb, target: megatestDb, syncsLastUpdate };
  return { ran: true, rows: await copyChanges(route, options) };
}

function mustWait({ megatestDb, syncsLastUpdate = false }: Trio, options: SyncOptions): boolean {
  const changedAt = statSync(megatestDb).mtimeMs;
  const age = Date.now() - changedAt;
  if (!syncsLastUpdate) return age < (options.quietMs ?? 4000);
  const { lastBegunAt } = options;
  return (
    lastBegunAt !== undefined &&
    changedAt < lastBegunAt &&
    age < (options.quietMs ?? pauseMs(loadavg()[0] ?? 0))
  );
}

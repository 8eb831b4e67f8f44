import { performance } from "node:perf_hooks";
import { prepared } from "../../shared/sqlite/connection.ts";
import type { Move } from "./move.ts";
import { outwaitBusy } from "./transaction.ts";

/**
 * Runs one statement that reads sources into temporary tables, and returns the number of rows written. An attempt
 * that finds the database busy leaves nothing and is repeated.
 */
export async function readSources(move: Move, sql: string, ...parameters: string[]): Promise<number> {
  return outwaitBusy(move.context.signal, () => {
    const started = performance.now();
    const { changes } = prepared<string[]>(move.db, sql).run(...parameters);
    move.pace.hold(performance.now() - started);
    return changes;
  });
}

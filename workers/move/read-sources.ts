import { performance } from "node:perf_hooks";
import { prepared } from "../../shared/sqlite/connection.ts";
import type { JobSession } from "./move.ts";

/**
 * Runs one statement that reads sources into temporary tables, and returns the number of rows written. An attempt
 * that finds the database busy leaves nothing and is repeated.
 */
export async function readSources(move: JobSession, sql: string, ...parameters: string[]): Promise<number> {
  return move.read(() => {
    const started = performance.now();
    const { changes } = prepared<string[]>(move.db, sql).run(...parameters);
    move.pace.hold(performance.now() - started);
    return changes;
  });
}

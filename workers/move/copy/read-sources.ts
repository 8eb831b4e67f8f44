import { performance } from "node:perf_hooks";
import { prepared } from "../../../shared/sqlite/connection.ts";
import type { JobSession } from "../session/job-session.ts";

/**
 * Runs one statement that reads sources into temporary tables, and returns the number of rows written. An attempt
 * that finds the database busy leaves nothing and is repeated.
 */
export async function readSources(
  session: JobSession,
  sql: string,
  ...parameters: string[]
): Promise<number> {
  return session.read(() => {
    const started = performance.now();
    const { changes } = prepared<string[]>(session.db, sql).run(...parameters);
    session.batchSize.hold(performance.now() - started);
    return changes;
  });
}

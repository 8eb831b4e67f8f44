import { performance } from "node:perf_hooks";
import { prepared } from "../../shared/sqlite/connection.ts";
import type { Move } from "./move.ts";
import { outwaitBusy } from "./transaction.ts";

/** One statement: an attempt that meets a busy database leaves nothing behind, and is made again. */
export async function read(move: Move, sql: string, ...parameters: string[]): Promise<number> {
  return outwaitBusy(move.context.signal, () => {
    const started = performance.now();
    const { changes } = prepared<string[]>(move.db, sql).run(...parameters);
    move.pace.hold(performance.now() - started);
    return changes;
  });
}

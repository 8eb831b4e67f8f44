import { setImmediate as yieldNow } from "node:timers/promises";
import type { Connection, Part } from "../../../shared/sqlite/connection.ts";
import { idRanges } from "../../../shared/sqlite/ids.ts";

/** Rows per statement: some milliseconds of a shared lock, during which Megatest's writers wait. */
const chunk = 5000;

/** Total scan time for an area's records, in ms; verdicts say if rows remain. */
const patienceMs = 60_000;

/** The time left for scans, shared by all checks of an area. */
export class Budget {
  readonly #end = performance.now() + patienceMs;

  get spent(): boolean {
    return performance.now() > this.#end;
  }
}

interface Scanned {
  part: Part;
  table: string;
  sql: string;
  budget: Budget;
  parameters?: Record<string, number>;
}

/**
 * Sums the columns of a counting statement over a whole table, one id range at a time. The statement takes `:from`
 * and `:to`, both inclusive.
 *
 * @returns the sums, and whether all rows were scanned before the time ran out
 */
export async function sumOver(
  db: Connection,
  { part, table, sql, budget, parameters = {} }: Scanned,
): Promise<{ sums: number[]; whole: boolean }> {
  const count = db.prepare<Record<string, number | bigint>, (number | null)[]>(sql).raw();
  const sums: number[] = [];
  for (const [from, to] of idRanges(db, `${part}.${table}`, chunk)) {
    if (budget.spent) return { sums, whole: false };
    const row = count.get({ ...parameters, from, to }) ?? [];
    for (const [index, value] of row.entries()) sums[index] = (sums[index] ?? 0) + (value ?? 0);
    await yieldNow();
  }
  return { sums, whole: true };
}

import { setImmediate as yieldNow } from "node:timers/promises";
import { idRanges } from "../../shared/sqlite/ids.ts";
import type { Look, Part } from "../open-look.ts";

/** Rows looked at in one statement: some milliseconds of a shared lock, in which Megatest's writers wait. */
const chunk = 5000;

/** For how long one area's records are looked at altogether, in ms; what is left then is said to be left. */
const patienceMs = 60_000;

/** How much time is left for scans; one for all of a doctor's. */
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
  /** What the statement takes besides. */
  parameters?: Record<string, number>;
}

/**
 * Runs a counting statement over all rows of a table, a range of ids at a time: it takes `:from` and `:to`, which are both looked at,
 * and its columns are numbers, which are summed.
 *
 * @returns the sums, and whether all rows were looked at before the time was spent
 */
export async function sumOver(
  db: Look,
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

import { gapName, guardName, notNamed } from "../id-guard-name.ts";
import { type Connection, quoteTexts } from "../sqlite/connection.ts";
import { hasTable } from "../sqlite/table.ts";
import type { Side, UnionTable } from "./union-tables.ts";

/**
 * On which side a run counts is decided by one cell, `mtjobs_runs.state` of completed-runs.db, and everything else
 * hangs on that: a test counts where its run does, steps and data where their test does. So a run that moves in
 * batches changes sides at the one instant in which that cell is committed.
 *
 * | state | counts |
 * | --- | --- |
 * | no row, `copying`, `restored` | in megatest.db and the cache |
 * | `removing`, `moved`, `restoring` | in completed-runs.db |
 *
 * For one statement to see both sides as of instants that fit, main must be read first. SQLite takes the read locks
 * of a statement before it reads a row, in the order of its databases: main, temp, then those attached, for the
 * transactions are opened where a statement's program begins. Let main be seen as of t1, completed-runs.db as of
 * t2 > t1. A reduce removes a run only after its `removing` is committed. A run seen as `removing` or later is whole
 * in completed-runs.db and hidden in main, whatever is left there. One that is not yet `removing` at t2 was not at t1
 * either, so main has it whole. The other way round a run could be `copying` in the older view of completed-runs.db
 * and gone from the newer one of main.
 */

/** States in which a run counts in completed-runs.db; what a restore puts back counts there until it is whole. */
export const completedStates = ["removing", "moved", "restoring"] as const;
/** States in which completed-runs.db has rows that do not count. */
export const uncountedStates = ["copying", "restored"] as const;

/** How to tell on which side a run counts. */
export interface Rule {
  /** SQL that is true for the id of a run that counts in completed-runs.db; never NULL. */
  isCompleted(run: string): string;
  /**
   * SQL of the ids of runs in completed-runs.db that do not count, always few: SQLite collects them once for each
   * statement. Undefined where completed-runs.db has runs that we did not put there: then each row is asked.
   */
  uncounted: string | undefined;
}

/** Reads how to tell; call it with completed-runs.db attached. Its answer holds until somebody else adds runs there. */
export function readRule(db: Connection): Rule {
  const ours = hasTable(db, "completed", "mtjobs_runs");
  if (!ours) return ruleWithForeignRuns("0", "0");
  const known = (run: string, more: string) =>
    `EXISTS (SELECT 1 FROM completed.mtjobs_runs AS mtjobs_r WHERE mtjobs_r.run_id = ${run}${more})`;
  const counts = (run: string) => known(run, ` AND mtjobs_r.state IN (${quoteTexts(completedStates)})`);
  const foreign = db
    .prepare(`SELECT EXISTS (SELECT 1 FROM completed.runs WHERE NOT ${known("runs.id", "")})`)
    .pluck()
    .get();
  if (foreign === 1) return ruleWithForeignRuns(counts, (run) => known(run, ""));
  return {
    isCompleted: counts,
    uncounted: `SELECT run_id FROM completed.mtjobs_runs WHERE state IN (${quoteTexts(uncountedStates)})`,
  };
}

/** A run of which we know nothing counts in completed-runs.db only where main has none of that id. */
function ruleWithForeignRuns(
  counts: string | ((run: string) => string),
  known: string | ((run: string) => string),
): Rule {
  const say = (text: typeof counts, run: string) => (typeof text === "string" ? text : text(run));
  return {
    isCompleted: (run) =>
      `(${say(counts, run)} OR (NOT ${say(known, run)} AND EXISTS (SELECT 1 FROM completed.runs AS mtjobs_c WHERE mtjobs_c.id = ${run}) AND NOT EXISTS (SELECT 1 FROM main.runs AS mtjobs_a WHERE mtjobs_a.id = ${run})))`,
    uncounted: undefined,
  };
}

/**
 * SQL that is true for the rows of a table that count on a side. NULL in no case, and cheap: a look-up by rowid or
 * two for a row of main, which is small once runs have moved; a probe of a handful of ids for one of completed-runs.db.
 *
 * @param alias under which the table is read
 * @param rule undefined where there is no completed-runs.db
 */
export function countsOn(side: Side, table: UnionTable, alias: string, rule: Rule | undefined): string {
  const owner = `${alias}.${table.owner}`;
  if (side === "completed") {
    if (rule?.uncounted !== undefined) {
      const ids =
        table.owner === "test_id"
          ? `SELECT mtjobs_t.id FROM completed.tests AS mtjobs_t WHERE mtjobs_t.run_id IN (${rule.uncounted})`
          : rule.uncounted;
      return `${owner} NOT IN (${ids})`;
    }
    const run = table.owner === "test_id" ? runOfTest("completed", owner) : owner;
    return rule?.isCompleted(run) ?? "0";
  }
  const terms = [notGuard(table, alias)];
  if (rule !== undefined) {
    // A late report of a moved run may be a step of a test that only completed-runs.db knows, or a whole test.
    const run =
      table.owner === "test_id"
        ? `coalesce(${runOfTest("main", owner)}, ${runOfTest("completed", owner)})`
        : owner;
    terms.push(`NOT ${rule.isCompleted(run)}`);
  }
  return terms.filter((term) => term !== "").join(" AND ") || "1";
}

function runOfTest(side: Side, test: string): string {
  return `(SELECT mtjobs_t.run_id FROM ${side}.tests AS mtjobs_t WHERE mtjobs_t.id = ${test})`;
}

/** True for all but the rows that guard ids, or keep them apart. */
function notGuard(table: UnionTable, alias: string): string {
  return notNamed(table.name, alias, guardName, gapName) ?? "";
}

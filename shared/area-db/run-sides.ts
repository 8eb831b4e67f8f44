import { type Connection, quoteText, quoteTexts } from "../sqlite/connection.ts";
import { hasTable } from "../sqlite/table.ts";
import { gapName, guardName, notNamed } from "./hidden-row-names.ts";
import type { Side, UnionTable } from "./run-tables.ts";

// One cell, `mtjobs_runs.state` of completed-runs.db, decides on which side a run counts. A test counts on its run's
// side, steps and data on their test's. So a run moved in batches changes sides when that cell is committed.
//
// | state | counts |
// | --- | --- |
// | no row, `copying`, `restored` | in megatest.db and the cache |
// | `importing`, `purging` | nowhere: in a file of its own, or in none any more |
// | `removing`, `moved`, `restoring` | in completed-runs.db |
//
// For a consistent statement, main must be read first. SQLite takes a statement's read locks before reading a row, in
// the order of its databases: main, temp, then attached ones. Let main be seen at t1 and completed-runs.db at t2 >
// t1. A reduce removes a run only after committing `removing`. A run seen as `removing` or later is complete in
// completed-runs.db and hidden in main. A run not yet `removing` at t2 was not at t1 either, so main has it
// completely. In the reverse order a run could be `copying` in the older view of completed-runs.db and missing in the
// newer view of main.

/** The run counts in completed-runs.db; one being restored until it is complete. */
export const completedStates = ["removing", "moved", "restoring"] as const;
/** completed-runs.db has rows of such a run that do not count. */
export const uncountedStates = ["copying", "restored", "importing", "purging"] as const;

/**
 * SQL: true if there is no such run, as nearly always. Evaluated once per statement, by four searches of an index;
 * for an IN, SQLite would first build a list, which takes as long as reading a row by its id.
 */
const noUncounted = uncountedStates
  .map((state) => `NOT EXISTS (SELECT 1 FROM completed.mtjobs_runs WHERE state = ${quoteText(state)})`)
  .join(" AND ");

export interface Rule {
  /** SQL: true for a run that counts in completed-runs.db; never NULL. */
  isCompleted(run: string): string;
  /**
   * SQL: runs in completed-runs.db that do not count; few, and collected once per statement. Undefined if runs of
   * other origin are there: then each row is tested.
   */
  uncounted: string | undefined;
}

/** Reads the rule, which is valid until another program adds runs to completed-runs.db. */
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

/** Counts a run unknown to mtjobs in completed-runs.db only if main has none of that id. */
function ruleWithForeignRuns(
  counts: string | ((run: string) => string),
  known: string | ((run: string) => string),
): Rule {
  const textFor = (text: typeof counts, run: string) => (typeof text === "string" ? text : text(run));
  return {
    isCompleted: (run) =>
      `(${textFor(counts, run)} OR (NOT ${textFor(known, run)} AND EXISTS (SELECT 1 FROM completed.runs AS mtjobs_c WHERE mtjobs_c.id = ${run}) AND NOT EXISTS (SELECT 1 FROM main.runs AS mtjobs_a WHERE mtjobs_a.id = ${run})))`,
    uncounted: undefined,
  };
}

/**
 * SQL: true for a table's rows that count on a side; never NULL, and cheap.
 *
 * @param alias under which the table is read
 * @param rule undefined without a completed-runs.db
 */
export function countsOn(side: Side, table: UnionTable, alias: string, rule: Rule | undefined): string {
  const owner = `${alias}.${table.owner}`;
  if (side === "completed") {
    if (rule?.uncounted !== undefined) {
      const ids =
        table.owner === "test_id"
          ? `SELECT mtjobs_t.id FROM completed.tests AS mtjobs_t WHERE mtjobs_t.run_id IN (${rule.uncounted})`
          : rule.uncounted;
      return `(${noUncounted} OR ${owner} NOT IN (${ids}))`;
    }
    const run = table.owner === "test_id" ? runOfTest("completed", owner) : owner;
    return rule?.isCompleted(run) ?? "0";
  }
  const terms = [notGuard(table, alias)];
  if (rule !== undefined) {
    // Late rows may be steps of a test that only completed-runs.db has, or a whole test.
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

function notGuard(table: UnionTable, alias: string): string {
  return notNamed(table.name, alias, guardName, gapName) ?? "";
}

import { quoteTexts } from "../../shared/sqlite/connection.ts";

/** Which tests Megatest may still write to. */

/** A test in one of these states has ended. Any other state, also one we do not know, counts as unfinished. */
const ended = ["COMPLETED", "KILLED", "STUCK", "INCOMPLETE", "ARCHIVED", "DEAD", "UNKNOWN", "DELETED"];

/** A test that never started and, with one of these statuses, never will. */
const neverToRun = ["PREQ_FAIL", "PREQ_DISCARDED", "BLOCKED", "ZERO_ITEMS", "TIMED_OUT", "TEN_STRIKES"];

/** States of a test that runs, or is about to. */
const running = ["RUNNING", "LAUNCHED", "REMOTEHOSTSTART"];

/**
 * SQL that is true for a test `t` of table `tests` that has not ended. The summary row of an itemized test
 * (a toplevel test: uname 'n/a', no item path, items of its name beside it) is left out, as Megatest does
 * when it counts what is running.
 */
export function isUnfinished(tests: string): string {
  return `coalesce(t.state, '') NOT IN (${quoteTexts(ended)})
    AND NOT (t.state = 'NOT_STARTED' AND coalesce(t.status, '') IN (${quoteTexts(neverToRun)}))
    AND NOT ${isToplevel(tests)}`;
}

/** SQL that is true for a test `t` of table `tests` that Megatest counts as running. */
export function isRunning(tests: string): string {
  return `t.state IN (${quoteTexts(running)}) AND NOT ${isToplevel(tests)}`;
}

function isToplevel(tests: string): string {
  return `(t.uname IS 'n/a' AND coalesce(t.item_path, '') = '' AND EXISTS (
      SELECT 1 FROM ${tests} AS i WHERE i.run_id = t.run_id AND i.testname = t.testname
        AND coalesce(i.item_path, '') <> ''))`;
}

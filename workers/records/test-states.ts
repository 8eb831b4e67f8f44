import { quoteTexts } from "../../shared/sqlite/connection.ts";

// Tests that Megatest may still write to.

/** States of a test that has ended. Any other state, also an unknown one, counts as unfinished. */
const ended = ["COMPLETED", "KILLED", "STUCK", "INCOMPLETE", "ARCHIVED", "DEAD", "UNKNOWN", "DELETED"];

/** Statuses of a test that never started and never will. */
const neverToRun = ["PREQ_FAIL", "PREQ_DISCARDED", "BLOCKED", "ZERO_ITEMS", "TIMED_OUT", "TEN_STRIKES"];

/** States of a test that runs or is about to. */
const running = ["RUNNING", "LAUNCHED", "REMOTEHOSTSTART"];

/**
 * SQL: a test `t` of table `tests` has not ended. As in Megatest's count of running tests, the summary row of an
 * itemized test (a toplevel test: uname 'n/a', no item path, items of the same name) does not count.
 */
export function isUnfinished(tests: string): string {
  return `coalesce(t.state, '') NOT IN (${quoteTexts(ended)})
    AND NOT (t.state = 'NOT_STARTED' AND coalesce(t.status, '') IN (${quoteTexts(neverToRun)}))
    AND NOT ${isToplevel(tests)}`;
}

/** SQL: Megatest counts a test `t` of table `tests` as running. */
export function isRunning(tests: string): string {
  return `t.state IN (${quoteTexts(running)}) AND NOT ${isToplevel(tests)}`;
}

function isToplevel(tests: string): string {
  return `(t.uname IS 'n/a' AND coalesce(t.item_path, '') = '' AND EXISTS (
      SELECT 1 FROM ${tests} AS i WHERE i.run_id = t.run_id AND i.testname = t.testname
        AND coalesce(i.item_path, '') <> ''))`;
}

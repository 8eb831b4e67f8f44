import { performance } from "node:perf_hooks";
import { setImmediate as yieldNow } from "node:timers/promises";
import { prepared } from "../../../shared/sqlite/connection.ts";
import { idList, preparedIds } from "../../../shared/sqlite/ids.ts";
import { withoutTriggers } from "../../../shared/sqlite/triggers.ts";
import { assertDeleted } from "../../records/assert-deleted.ts";
import { belongsTo } from "../../records/record-tables.ts";
import { BatchSize } from "../session/batch-size.ts";
import type { JobSession } from "../session/job-session.ts";

/** Maximum time of a transaction that delays only readers of completed-runs.db, ms. */
const aimMs = 100;

/** Tests in the first transaction: as many as are copied together. */
const initial = 1000;

/**
 * Deletes copies from completed-runs.db, a large one in several transactions. Only for runs that count elsewhere, of
 * which nothing has been removed or which are complete again.
 */
export async function discardCopies(session: JobSession, runs: readonly bigint[]): Promise<void> {
  const { db } = session;
  const list = idList(runs);
  const batchSize = new BatchSize("completed", () => aimMs, initial);
  const some = () =>
    preparedIds<[string, number]>(
      db,
      `SELECT id FROM completed.tests WHERE run_id IN (SELECT value FROM json_each(?)) ORDER BY run_id, id LIMIT ?`,
    );
  for (let isLast = false; !isLast; ) {
    await session.read(() => {
      const started = performance.now();
      const tests = some().all(list, batchSize.size);
      isLast = tests.length < batchSize.size;
      discard(session, { runs: list, tests: idList(tests), isLast });
      batchSize.hold(performance.now() - started);
      batchSize.settle(tests.length);
    });
    await yieldNow();
  }
}

interface Part {
  /** JSON arrays of ids. */
  runs: string;
  tests: string;
  /** True if nothing is left afterwards. */
  isLast: boolean;
}

function discard(session: JobSession, { runs, tests, isLast }: Part): void {
  const { db, records } = session;
  const chosen = "(SELECT value FROM json_each(?))";
  session.commitOnce("completed", () => {
    // A copy in part must not count between two transactions.
    prepared(
      db,
      `UPDATE completed.mtjobs_runs SET state = 'copying' WHERE state = 'removing' AND run_id IN ${chosen}`,
    ).run(runs);
    withoutTriggers(db, "completed", () => {
      prepared(db, `DELETE FROM completed.mtjobs_archived WHERE test_id IN ${chosen}`).run(tests);
      // Children before parents: the plans are ordered by depth.
      for (const record of records.toReversed()) {
        const isOfTests = record.table === "tests" || record.parent === "test_id";
        if (!isOfTests && !isLast) continue;
        const where =
          record.table === "tests" ? `id IN ${chosen}` : belongsTo(record, { runs: chosen, tests: chosen });
        const [going, parameters] = [`completed.${record.table} WHERE ${where}`, [isOfTests ? tests : runs]];
        prepared(db, `DELETE FROM ${going}`).run(...parameters);
        assertDeleted(db, "completed", record.table, { going, parameters });
      }
    });
    if (isLast) prepared(db, `DELETE FROM completed.mtjobs_runs WHERE run_id IN ${chosen}`).run(runs);
  });
}

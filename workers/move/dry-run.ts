import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readAreaId } from "../../shared/area/area-id.ts";
import type { MoveResult } from "../../shared/contract/move-result.ts";
import type { MovePayload, ReducePayload, RestorePayload } from "../../shared/contract/payload.ts";
import { prepared } from "../../shared/sqlite/connection.ts";
import type { IdRange } from "../../shared/sqlite/ids.ts";
import { isNotEmpty } from "../../shared/sqlite/journal.ts";
import { newCompletedDb } from "../area-db/completed-db.ts";
import { connect, sourcesOf } from "../area-db/databases.ts";
import { assertSchemaFits } from "../area-db/fit-area.ts";
import { type OpenedArea, refuseHotJournals } from "../area-db/open-area.ts";
import { keepWal } from "../area-db/open-readonly.ts";
import type { Run } from "../area-db/run.ts";
import { retryWhileBusy } from "../area-db/transaction.ts";
import { indexChildren } from "../records/child-index.ts";
import { planOf } from "../records/record-session.ts";
import { PendingStates } from "./copy/commit-copy.ts";
import { copyBatch } from "./copy/copy-batch.ts";
import { describeResult, fileSizes } from "./report.ts";
import { runRows } from "./run-accounting.ts";
import { chooseMovedRuns } from "./select/choose-moved-runs.ts";
import { chooseRuns } from "./select/choose-runs.ts";
import { type Direction, JobSession, jobSetup } from "./session/job-session.ts";

/** Runs judged together. */
const batch = 20;

/** Reports what a reduce would do. Reads only. */
export function rehearseReduce(opened: OpenedArea, payload: ReducePayload): Promise<MoveResult> {
  const { context, tally } = opened;
  return rehearse(opened, payload, "reduce", async (session) => {
    const runs = await chooseRuns(session, payload);
    for (let from = 0; from < runs.length; from += batch) {
      context.signal.throwIfAborted();
      context.progress({
        phase: "looking",
        runs: { done: from, total: runs.length },
        rows: { done: Object.values(tally.moved).reduce((sum, count) => sum + count, 0) },
      });
      const movable = await copyBatch(session, runs.slice(from, from + batch), payload, new PendingStates());
      for (const run of movable) tally.movedRun(run);
    }
  });
}

/** Reports what a restore would do. Reads only. */
export function rehearseRestore(opened: OpenedArea, payload: RestorePayload): Promise<MoveResult> {
  return rehearse(opened, payload, "restore", async (session) =>
    countRuns(session, await chooseMovedRuns(session, payload)),
  );
}

/** Counts runs of completed-runs.db as if they had been moved. */
export async function countRuns(session: JobSession, runs: readonly Run[]): Promise<void> {
  const { context, tally } = session;
  for (const run of runs) {
    context.signal.throwIfAborted();
    const rows = await session.read(() => runRows(session, [run.id]));
    for (const [table, count] of rows) tally.moved[table] += count;
    tally.movedRun(run);
  }
}

/** Counted in one statement, which delays Megatest's commits: runs if their tests have an index, otherwise tests. */
const perRead = { runs: 20, tests: 20_000 };

/** Counts all tests of a database: by an index, because their rows are large. */
async function countTests(session: JobSession, part: "area" | "completed"): Promise<number> {
  const [unit, column] = planOf(session, "tests").indexedIn(part)
    ? (["runs", "run_id"] as const)
    : (["tests", "id"] as const);
  const sql = `SELECT count(*) FROM ${part}.tests WHERE ${column} BETWEEN ? AND ?`;
  const count = (range: IdRange) =>
    prepared<[bigint, bigint], number>(session.db, sql)
      .pluck()
      .get(...range) ?? 0;
  let tests = 0;
  for await (const range of session.idRanges(`${part}.${unit}`, perRead[unit]))
    tests += await session.read(() => count(range));
  return tests;
}

/** Estimates what the counted runs take of the database that they would leave: its used pages by their share of its tests. */
async function estimateBytes(session: JobSession, part: "area" | "completed"): Promise<number> {
  const { db, tally } = session;
  const pragma = (name: string) => Number(db.pragma(`${part}.${name}`, { simple: true }));
  const used = await session.read(
    () => (pragma("page_count") - pragma("freelist_count")) * pragma("page_size"),
  );
  // Of tests that are in the cache alone, megatest.db has none yet.
  const share = Math.min(1, tally.moved.tests / Math.max(await countTests(session, part), 1));
  return Math.round(used * share);
}

/** Runs `count` read-only. Uses an empty completed-runs.db in a temporary directory if the area has none. */
export async function rehearse(
  opened: OpenedArea,
  payload: MovePayload,
  job: Direction,
  count: (session: JobSession) => Promise<void>,
): Promise<MoveResult> {
  const { area, files, context, tally, started } = opened;
  const { signal } = context;
  refuseHotJournals(files);
  await retryWhileBusy(signal, () => assertSchemaFits(files, tally));
  const release = await retryWhileBusy(signal, () => keepWal(files));
  const directory = mkdtempSync(join(tmpdir(), "mtjobs-dry-run-"));
  try {
    const completed = isNotEmpty(files.completed) ? files.completed : join(directory, "completed-runs.db");
    if (completed !== files.completed) {
      const sources = [files.area, ...(files.cache === undefined ? [] : [files.cache])];
      const content = await retryWhileBusy(signal, () => newCompletedDb(sources));
      writeFileSync(completed, content, { flag: "wx" });
    }
    const read = { ...opened, files: { ...files, completed } };
    const db = await retryWhileBusy(signal, () => connect(read.files, [...sourcesOf(files), "completed"]));
    try {
      const session = await retryWhileBusy(
        signal,
        () => new JobSession({ ...jobSetup(db, read, payload, job), times: undefined }),
      );
      for (const part of session.sources) await indexChildren(session, part);
      await count(session);
      const estimate =
        job === "import"
          ? {}
          : { estimatedBytes: await estimateBytes(session, job === "reduce" ? "area" : "completed") };
      const { counts } = session;
      const areaId = readAreaId(area);
      const before = fileSizes(files);
      return {
        ...describeResult({
          session: { context, area, files, tally, counts },
          payload,
          job,
          areaId,
          before,
          started,
        }),
        ...estimate,
      };
    } finally {
      db.close();
    }
  } finally {
    release();
    rmSync(directory, { recursive: true, force: true });
  }
}

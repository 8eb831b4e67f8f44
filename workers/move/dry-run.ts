import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readAreaId } from "../../shared/area/area-id.ts";
import type { JobContext } from "../../shared/job-context.ts";
import type { MovePayload, ReducePayload, RestorePayload } from "../../shared/queue/payload.ts";
import type { MoveResult } from "../../shared/result.ts";
import { hasContent } from "../../shared/sqlite/journal.ts";
import { mapChildren } from "./children.ts";
import { chooseRuns } from "./choose.ts";
import { chooseMovedRuns } from "./choose-moved.ts";
import { ensureCompletedDb } from "./completed-db.ts";
import { PendingStates } from "./copy.ts";
import { copyBatch } from "./copy-batch.ts";
import { assertFit } from "./fit-area.ts";
import type { Move } from "./move.ts";
import { keepLog } from "./open-quietly.ts";
import { openMove, type Place, refuseHotJournals } from "./prepare.ts";
import { describeResult, fileSizes } from "./report.ts";
import { runRows } from "./run-rows.ts";
import type { Tally } from "./tally.ts";
import { outwaitBusy } from "./transaction.ts";

/** Runs judged together. */
const batch = 20;

/** Reports what a reduce would do. Reads only. */
export function rehearseReduce(
  place: Place,
  payload: ReducePayload,
  context: JobContext,
  tally: Tally,
  started: number,
): Promise<MoveResult> {
  return rehearse(place, { payload, job: "reduce" }, context, tally, started, async (move) => {
    const runs = await chooseRuns(move, payload, move.now);
    for (let from = 0; from < runs.length; from += batch) {
      context.signal.throwIfAborted();
      context.progress({
        phase: "looking",
        runs: { done: from, total: runs.length },
        rows: { done: Object.values(tally.moved).reduce((sum, count) => sum + count, 0) },
      });
      const movable = await copyBatch(move, runs.slice(from, from + batch), payload, new PendingStates());
      for (const run of movable) tally.movedRun(run);
    }
  });
}

/** Reports what a restore would do. Reads only. */
export function rehearseRestore(
  place: Place,
  payload: RestorePayload,
  context: JobContext,
  tally: Tally,
  started: number,
): Promise<MoveResult> {
  return rehearse(place, { payload, job: "restore" }, context, tally, started, async (move) => {
    for (const run of await chooseMovedRuns(move, payload)) {
      context.signal.throwIfAborted();
      const rows = await outwaitBusy(context.signal, () => runRows(move, [run.id]));
      for (const [table, count] of rows) tally.moved[table] += count;
      tally.movedRun(run);
    }
  });
}

/** Uses an empty completed-runs.db in a temporary directory if the area has none. */
async function rehearse(
  place: Place,
  what: { payload: MovePayload; job: MoveResult["job"] },
  context: JobContext,
  tally: Tally,
  started: number,
  look: (move: Move) => Promise<void>,
): Promise<MoveResult> {
  refuseHotJournals(place.files);
  await outwaitBusy(context.signal, () => assertFit(place.files, tally));
  const release = await outwaitBusy(context.signal, () => keepLog(place.files));
  const scratch = mkdtempSync(join(tmpdir(), "mtjobs-dry-run-"));
  try {
    const completed = hasContent(place.files.completed)
      ? place.files.completed
      : join(scratch, "completed-runs.db");
    if (completed !== place.files.completed) {
      writeFileSync(completed, "", { flag: "wx" });
      const sources = [place.files.area, ...(place.files.cache === undefined ? [] : [place.files.cache])];
      await outwaitBusy(context.signal, () => ensureCompletedDb(completed, sources));
    }
    const files = { ...place.files, completed };
    const move = await outwaitBusy(context.signal, () => openMove({ ...place, files }, what, context, tally));
    try {
      for (const part of move.sources) await mapChildren(move.db, part, move.records, context.signal);
      await look(move);
      return describeResult({
        ...what,
        move: { ...move, files: place.files },
        areaId: readAreaId(place.area),
        before: fileSizes(place.files),
        started,
      });
    } finally {
      move.db.close();
    }
  } finally {
    release();
    rmSync(scratch, { recursive: true, force: true });
  }
}

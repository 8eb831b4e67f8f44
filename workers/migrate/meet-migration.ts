import { JobsError } from "../../shared/errors.ts";
import { noteRefillDue } from "../fence.ts";
import { outwaitBusy, transact } from "../move/transaction.ts";
import { openPart, readClosed } from "./closed.ts";
import { sideOf } from "./duty.ts";
import { openMigration } from "./migration-table.ts";
import { type MigrationPart, read } from "./part.ts";
import { openNew } from "./switch.ts";
import { decide, openOld } from "./undo.ts";

const beforeSwitch = ["closing", "closed", "installed", "intent"];

/**
 * Resolves a migration left open, as a job's first action under its lease. Afterwards the cache accepts writes.
 *
 * @throws JobsError `not-home` if the homehost has moved
 */
export async function meetMigration(part: MigrationPart): Promise<void> {
  const { db, context } = part;
  const hadCache = part.files.cache !== undefined;
  let row = await read(part, () => openMigration(db));
  const side = row === undefined ? undefined : sideOf(row, context.settings.host);
  if (row !== undefined && side === "old") {
    if (beforeSwitch.includes(row.state))
      row = await decide(part, row, `job ${context.jobId} found it abandoned`);
    if (row.state === "switched") throw moved(row.to_home);
    if (row.state === "undoing" && row.old_ready === 0) await openOld(part, row);
  } else if (row?.state === "switched" && side === "new" && row.new_ready === 0) await openNew(part, row);
  if (!hadCache && part.files.cache !== undefined) throw putBack();
  await adopt(part);
}

/** Builds an error that restarts a job begun without a cache, as if megatest.db had all rows. */
function putBack(): JobsError {
  return new JobsError("busy", "the area's cache was missing and was restored from a migration's copy", {
    hint: "a queued job restarts automatically; run an --inline job again",
  });
}

function moved(homehost: string): JobsError {
  return new JobsError("not-home", `the homehost has moved to ${homehost}`, {
    hint: "the job continues there",
    details: { homehost },
  });
}

/** Reopens the closed cache of a home whose `.homehost` was edited by hand. */
async function adopt({ db, files, fenceToken, context }: MigrationPart): Promise<void> {
  if (files.cache === undefined) return;
  if ((await outwaitBusy(context.signal, () => readClosed(db, "cache"))) === undefined) return;
  context.log(".homehost was changed by hand; reopening the cache that a migration closed on this host.");
  // Merges newer rows of megatest.db next, as if a refill were due.
  await outwaitBusy(context.signal, () => transact(db, () => noteRefillDue(db, true)));
  if (files.ref !== undefined) await outwaitBusy(context.signal, () => openPart(db, "ref", fenceToken));
  await outwaitBusy(context.signal, () => openPart(db, "cache", fenceToken));
}

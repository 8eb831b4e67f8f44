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
 * What a job on an area does first where a migration was left open: it has the lease, so nobody goes on with that one. From
 * here on its cache takes writes.
 *
 * @throws JobsError `not-home` where the home has moved all the same
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

/** The job was made without a cache, as if megatest.db had all there is. */
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

/** This host is the home, and its cache is closed: somebody wrote `.homehost` by hand. That is theirs to choose. */
async function adopt({ db, files, fenceToken, context }: MigrationPart): Promise<void> {
  if (files.cache === undefined) return;
  if ((await outwaitBusy(context.signal, () => readClosed(db, "cache"))) === undefined) return;
  context.log(".homehost was changed by hand; reopening the cache that a migration closed on this host.");
  // What megatest.db got meanwhile is brought to it next, as after a refill that was due.
  await outwaitBusy(context.signal, () => transact(db, () => noteRefillDue(db, true)));
  if (files.ref !== undefined) await outwaitBusy(context.signal, () => openPart(db, "ref", fenceToken));
  await outwaitBusy(context.signal, () => openPart(db, "cache", fenceToken));
}

import { JobsError } from "../../../shared/errors.ts";
import { setRefillDue } from "../../area-db/fence.ts";
import { notHome } from "../../area-db/open-area.ts";
import { transact } from "../../area-db/transaction.ts";
import { readClosed, reopenDatabase } from "../pair/closed.ts";
import type { MigrationSession } from "../state/migration-session.ts";
import { openMigration } from "../state/migration-table.ts";
import { sideOf } from "../state/next-action.ts";
import { openNew } from "./switch.ts";
import { decideMigration, openOld } from "./undo.ts";

const beforeSwitch = ["closing", "closed", "installed", "intent"];

/**
 * Resolves a migration left open, as a job's first action under its lease. Afterwards the cache accepts writes.
 *
 * @throws JobsError `not-home` if the homehost has moved
 */
export async function resolveOpenMigration(session: MigrationSession): Promise<void> {
  const { db, context } = session;
  const hadCache = session.files.cache !== undefined;
  let row = await session.read(() => openMigration(db));
  const side = row === undefined ? undefined : sideOf(row, context.settings.host);
  if (row !== undefined && side === "old") {
    if (beforeSwitch.includes(row.state))
      row = await decideMigration(session, row, `job ${context.jobId} found it abandoned`);
    if (row.state === "switched") throw await notHome(session.area, row.to_home, context.settings);
    if (row.state === "undoing" && row.old_ready === 0) await openOld(session, row);
  } else if (row?.state === "switched" && side === "new" && row.new_ready === 0) await openNew(session, row);
  if (!hadCache && session.files.cache !== undefined) throw putBack();
  await adopt(session);
}

/** Builds an error that restarts a job begun without a cache, as if megatest.db had all rows. */
function putBack(): JobsError {
  return new JobsError("busy", "the area's cache was missing and was restored from a migration's copy", {
    hint: "a queued job restarts automatically; run an --inline job again",
  });
}

/** Reopens the closed cache of a home whose `.homehost` was edited by hand. */
async function adopt(session: MigrationSession): Promise<void> {
  const { db, files, context } = session;
  if (files.cache === undefined) return;
  if ((await session.read(() => readClosed(db, "cache"))) === undefined) return;
  context.log(".homehost was changed by hand; reopening the cache that a migration closed on this host.");
  // Merges newer rows of megatest.db next, as if a refill were due.
  await session.read(() => transact(db, () => setRefillDue(db, true)));
  if (files.ref !== undefined) await session.commit("ref", () => reopenDatabase(db, "ref"));
  await session.commit("cache", () => reopenDatabase(db, "cache"));
}

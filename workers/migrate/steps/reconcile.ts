import { type Area, openAllowedArea } from "../../../shared/area/area.ts";
import { findCache } from "../../../shared/area/cache/cache.ts";
import type { MigrateStepPayload } from "../../../shared/contract/migrate-payload.ts";
import type { MigrationRow } from "../../../shared/contract/migration-row.ts";
import { JobsError } from "../../../shared/errors.ts";
import type { JobContext } from "../../area-db/job-context.ts";
import { type MigrationSession, withMigration } from "../state/migration-session.ts";
import type { NextAction } from "../state/next-action.ts";
import { firstAction, openMigrations } from "../state/open-migrations.ts";
import { cleanupSettled, settle } from "./finish.ts";
import { openNew } from "./switch.ts";
import { cleanNew, cleanupUndone, decideMigration, finishUndo, openOld, rowOf } from "./undo.ts";
import { watchOldHome } from "./watch-old-home.ts";

export type ReconcilePayload = Extract<MigrateStepPayload, { step: "tend" }>;

export interface ReconcileReport {
  did: NextAction[];
  /** Ms until the next pass. */
  againMs?: number;
  /** The other host, if it must act. */
  next?: string | undefined;
  /** The job waiting for this migration. */
  wake?: { host: string; jobId: string };
}

/** More than the longest sequence, undoing from an intent. */
const mostRounds = 8;

/** Performs this host's next actions in the area's migrations. */
export async function reconcile(payload: ReconcilePayload, context: JobContext): Promise<ReconcileReport> {
  const { settings, env } = context;
  const area = openAllowedArea(payload.area, settings, env);
  const did: NextAction[] = [];
  for (let round = 0; round < mostRounds; round++) {
    context.signal.throwIfAborted();
    const first = firstAction(await openMigrations(area, context, payload.givenUp), settings.host);
    if (first === undefined) return { did };
    const { row } = first.migration;
    if (first.action === undefined) return { did, ...wakeOf(row), next: first.next };
    const againMs = await perform(first.action, area, row, context, payload.givenUp);
    did.push(first.action);
    if (againMs !== undefined) return { did, againMs };
  }
  return { did };
}

const wakeOf = ({ to_host, job_id }: MigrationRow) => ({ wake: { host: to_host, jobId: job_id } });

/** Returns ms until the action must be repeated; undefined when done. */
async function perform(
  action: NextAction,
  area: Area,
  row: MigrationRow,
  context: JobContext,
  givenUp: string | undefined,
): Promise<number | undefined> {
  if (action === "clean-new") return void (await cleanNew(area, row, context));
  if (action === "watch") return await watchOldHome(area, row, context);
  const pair = findCache(area, context.settings);
  // In `undoing` only the old home acts; otherwise wait until the lease expires.
  const isOver = action === "open-old" || action === "finish-undo" || row.job_id === givenUp;
  const lease = isOver ? "any" : "over";
  try {
    await withMigration({ context, area, pair, migration: row.job_id, lease }, (session) =>
      actOrGiveBack(action, session, row),
    );
  } catch (error) {
    // Another step took the lease first.
    if (error instanceof JobsError && error.code === "locked" && lease === "over") return 1000;
    throw error;
  }
  return undefined;
}

/** Releases the lease on failure; the next reconciliation retries. */
async function actOrGiveBack(
  action: NextAction,
  session: MigrationSession,
  seen: MigrationRow,
): Promise<void> {
  try {
    await act(action, session, seen);
  } catch (error) {
    await session.giveBack().catch(() => {}); // overtaken or unreachable: the lease expires
    throw error;
  }
}

async function act(action: NextAction, session: MigrationSession, seen: MigrationRow): Promise<void> {
  const row = await rowOf(session, seen.job_id);
  // Another host acted first.
  if (row.state !== seen.state) return;
  // These end the lease too.
  if (action === "finish-undo") return await finishUndo(session, row);
  if (action === "settle") return void (await settle(session, row));
  if (action === "tidy")
    return void (await (row.state === "undone" ? cleanupUndone(session, row) : cleanupSettled(session, row)));
  if (action === "decide")
    await decideMigration(session, row, "no worker continued it before its lease expired");
  else if (action === "open-old") await openOld(session, row);
  else if (action === "open-new") await openNew(session, row);
  // The remaining actions need no lease in between.
  await session.giveBack();
}

import { openAllowedArea } from "../../../shared/area/area.ts";
import type { CachePair } from "../../../shared/area/cache/cache.ts";
import { appendHistory } from "../../../shared/area/history.ts";
import { readHomehost } from "../../../shared/area/homehost.ts";
import type { MigrateCheck } from "../../../shared/contract/migrate-result.ts";
import type { MigrationRow } from "../../../shared/contract/migration-row.ts";
import { JobsError, toJobsError } from "../../../shared/errors.ts";
import type { JobContext } from "../../area-db/job-context.ts";
import { movedError, passed, undoneError } from "../checks/refusal.ts";
import { buildPair } from "../pair/build-pair.ts";
import { copyAside } from "../pair/copy-database.ts";
import { findExistingPair } from "../pair/existing-pair.ts";
import { checkHandedOver } from "../pair/handed-over.ts";
import { switchHome, withdrawNextHome, writeNextHome } from "../pair/homehost-file.ts";
import { withPairGuard } from "../pair/pair-guard.ts";
import { baseFile, ensureMigrationDirectory } from "../state/migration-files.ts";
import { settledLine } from "../state/migration-history.ts";
import { type MigrationSession, withMigration } from "../state/migration-session.ts";
import { advance, updateMigration } from "../state/migration-table.ts";
import { installOptions, installSnapshot, openPair } from "./open-pair.ts";
import { cleanNew, decideMigration, rowOf } from "./undo.ts";

export interface LocalStepPayload {
  area: string;
  migration: string;
  cancelled?: boolean;
}

export interface SwitchReport {
  checks: MigrateCheck[];
  /** `switched`, with the new pair open. */
  row: MigrationRow;
}

/**
 * Installs the pair on the new home, switches `.homehost`, and opens the pair. A failure before the rename undoes;
 * after it, only forward.
 *
 * @throws JobsError `rolled-back`
 */
export async function switchOver(payload: LocalStepPayload, context: JobContext): Promise<SwitchReport> {
  const { settings, env } = context;
  const area = openAllowedArea(payload.area, settings, env);
  const options = {
    context,
    area,
    pair: await findExistingPair(area, settings),
    migration: payload.migration,
    lease: "any",
  } as const;
  return await withMigration(options, async (session) => {
    const checks: MigrateCheck[] = [];
    try {
      if (!session.wasAlive && isBefore(await rowOf(session, payload.migration))) {
        throw new JobsError("rolled-back", "its lease expired before the new home took over");
      }
      if (payload.cancelled === true && isBefore(await rowOf(session, payload.migration)))
        throw new JobsError("cancelled", "it was cancelled");
      await toSwitched(session, payload.migration, checks);
    } catch (error) {
      await leave(session, payload.migration, error);
    }
    const row = await rowOf(session, payload.migration);
    try {
      if (row.state === "switched" && row.new_ready === 0) await openNew(session, row);
      if (row.kind === "takeover") await endTakeOver(session, row);
      else await session.handOver();
      return { checks, row: await rowOf(session, payload.migration) };
    } catch (error) {
      throw movedError(row.to_home, error);
    }
  });
}

const isBefore = ({ state }: MigrationRow) => ["closed", "installed", "intent"].includes(state);

async function toSwitched(session: MigrationSession, jobId: string, checks: MigrateCheck[]): Promise<void> {
  let row = await rowOf(session, jobId);
  if (row.state === "closed") {
    await install(session, row, checks);
    row = await rowOf(session, jobId);
  }
  if (row.state === "intent") row = await takeIntentBack(session, row);
  if (row.state === "installed") await rename(session, row, checks);
  else if (row.state !== "switched" && row.state !== "settled") throw undoneError(row);
}

async function install(session: MigrationSession, row: MigrationRow, checks: MigrateCheck[]): Promise<void> {
  const { context, db } = session;
  const pair = await withPairGuard(context.settings, async () => {
    // Another step may have taken over during the wait.
    await session.commit("area", () => {});
    return row.source === "cache" ? await installSnapshot(session, row) : await fromBase(session, row);
  });
  await session.attachPair(pair);
  if (row.source === "cache") checks.push(passed("digest", "every row of the new pair equals the old one"));
  checks.push(passed("integrity", "the new pair passes SQLite's integrity check"));
  await session.commit("area", () => advance(db, row.token, "installed"));
  context.failpoint("migration-installed");
}

/** Builds the pair from a copy of megatest.db: the old home had no cache, or is lost. */
async function fromBase(session: MigrationSession, row: MigrationRow): Promise<CachePair> {
  const { area, context, token } = session;
  const directory = ensureMigrationDirectory(area, row.token);
  const base = baseFile(area, row.token);
  if (!checkHandedOver({ area, settings: context.settings }, base)) {
    const { megatestDb: from } = area;
    await copyAside({ from, target: base, stepToken: token, model: from, signal: context.signal });
  }
  return await buildPair({ ...(await installOptions(session, row)), base, directory, movedTo: row.to_home });
}

/** Resolves the intent of a step that died: it renamed, or never will. */
async function takeIntentBack(session: MigrationSession, row: MigrationRow): Promise<MigrationRow> {
  const { area, db } = session;
  if (row.switch_token !== null) withdrawNextHome(area, row.switch_token);
  const to = readHomehost(area).value === row.to_home ? "switched" : "installed";
  await session.commit("area", () => advance(db, row.token, to));
  return await rowOf(session, row.job_id);
}

async function rename(session: MigrationSession, row: MigrationRow, checks: MigrateCheck[]): Promise<void> {
  const { area, db, context, token } = session;
  const { value, pinned } = readHomehost(area);
  if (pinned || value !== row.from_home) {
    throw new JobsError("conflict", `.homehost now holds ${value ?? "nothing"}, not ${row.from_home}`);
  }
  writeNextHome(area, row.to_home, token);
  context.failpoint("home-written");
  await session.commit("area", () => advance(db, row.token, "intent", { switch_token: token }));
  context.failpoint("intent-committed");
  switchHome(area, token, row.to_home);
  context.failpoint("home-renamed");
  await session.commit("area", () => advance(db, row.token, "switched"));
  context.failpoint("migration-switched");
  context.log(`The homehost is now ${row.to_home}.`);
  checks.push(passed("homehost", `.homehost holds ${row.to_home}`));
}

/** Opens the new pair. The ref first, because a sync writes there first. */
export async function openNew(session: MigrationSession, row: MigrationRow): Promise<void> {
  const { db, context } = session;
  await openPair(session, row);
  context.failpoint("pair-opened");
  await session.commit("area", () => updateMigration(db, row.token, "switched", { new_ready: 1 }));
}

/** Ends the lease, since the lost home may be away for long. */
async function endTakeOver(session: MigrationSession, row: MigrationRow): Promise<void> {
  appendHistory(session.area, settledLine(row, { merged: 0, kept: 0 }));
  await session.giveBack();
}

/** Decides the migration after a failure. Returns if it is switched. @throws JobsError */
async function leave(session: MigrationSession, jobId: string, thrown: unknown): Promise<void> {
  const { area, context } = session;
  const error = toJobsError(thrown);
  // The next worker continues while the lease is alive, or undoes.
  if (error.code === "stopped" || error.code === "lost-lease") throw error;
  let row = await rowOf(session, jobId);
  if (isBefore(row)) row = await decideMigration(session, row, error.message);
  if (row.state === "switched" || row.state === "settled") return;
  if (row.state === "undoing") await cleanNew(area, row, context);
  if (row.state === "undone") await session.giveBack().catch(() => {}); // ended: release the lease early
  throw error.code === "rolled-back" ? error : undoneError(row);
}

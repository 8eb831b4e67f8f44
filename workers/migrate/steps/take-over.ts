import { openAllowedArea } from "../../../shared/area/area.ts";
import { appendHistory } from "../../../shared/area/history.ts";
import { JobsError } from "../../../shared/errors.ts";
import { filesOf } from "../../area-db/databases.ts";
import { assertSchemaFits } from "../../area-db/fit-area.ts";
import type { JobContext } from "../../area-db/job-context.ts";
import { prepareArea } from "../../area-db/open-area.ts";
import { Tally } from "../../area-db/tally.ts";
import { retryWhileBusy } from "../../area-db/transaction.ts";
import { findExistingPair } from "../pair/existing-pair.ts";
import { removeNextHomes } from "../pair/homehost-file.ts";
import { assertGapFit } from "../pair/id-gap.ts";
import { ensureMigrationDirectory } from "../state/migration-files.ts";
import { settledLine, undoneLine } from "../state/migration-history.ts";
import { type MigrationSession, withMigration } from "../state/migration-session.ts";
import {
  advance,
  beginMigration,
  migrationOf,
  openMigration,
  refuseIfOpen,
} from "../state/migration-table.ts";
import { decideMigration, rowOf } from "./undo.ts";

export interface TakeOverPayload {
  area: string;
  migration: string;
  requestedBy: string;
  /** What `.homehost` holds, and the queue of its worker. */
  fromHome: string;
  fromHost: string;
  toHome: string;
}

/** Begins a take-over on the new host. */
export async function beginTakeOver(
  payload: TakeOverPayload,
  context: JobContext,
): Promise<{ token: number }> {
  const { settings, env, signal } = context;
  const area = openAllowedArea(payload.area, settings, env);
  const pair = await findExistingPair(area, settings);
  const files = filesOf(area, pair);
  await retryWhileBusy(signal, () => assertSchemaFits(files, new Tally()));
  await retryWhileBusy(signal, () => assertGapFit(files));
  await retryWhileBusy(signal, () => prepareArea({ area, files }));
  return await withMigration(
    { context, area, pair, migration: payload.migration, lease: "any" },
    async (session) => {
      const row = {
        job_id: payload.migration,
        requested_by: payload.requestedBy,
        kind: "takeover",
        from_home: payload.fromHome,
        to_home: payload.toHome,
        from_host: payload.fromHost,
        to_host: settings.host,
        source: "megatest.db",
      } as const;
      const isNew = (await session.read(() => migrationOf(session.db, payload.migration))) === undefined;
      if (isNew) await abandonOpen(session, payload.fromHome);
      await session.commit("area", () => {
        // Otherwise resumed.
        if (!isNew) return;
        refuseIfOpen(session.db);
        beginMigration(session.db, row, session.token, "closed");
      });
      ensureMigrationDirectory(area, (await rowOf(session, payload.migration)).token);
      await session.handOver();
      return { token: session.token };
    },
  );
}

/**
 * Ends, before a take-over, a migration that would wait for the lost home. Keeps its directory: a snapshot may hold
 * rows that never sync.
 *
 * @param home what `.homehost` held when the take-over was requested
 * @throws JobsError `conflict` if the homehost is now another
 */
export async function abandonOpen(session: MigrationSession, home: string): Promise<void> {
  const { area, context, db } = session;
  let row = await session.read(() => openMigration(db));
  if (row === undefined) return;
  const reason = `take-over ${context.jobId} ended it: ${home} is gone`;
  if (row.state !== "undoing" && row.state !== "switched") row = await decideMigration(session, row, reason);
  const isSwitched = row.state === "switched";
  const isHome = isSwitched ? row.to_home : row.from_home;
  if (isHome !== home) {
    throw new JobsError("conflict", `the homehost is now ${isHome}, not ${home}`, {
      hint: "check mtjobs status AREA, and repeat the take-over if that host is gone too",
    });
  }
  const { token, state } = row;
  await session.commit("area", () => advance(db, token, isSwitched ? "settled" : "undone"));
  const ended = await rowOf(session, row.job_id);
  appendHistory(
    area,
    isSwitched ? settledLine(ended, { merged: 0, kept: 0 }) : undoneLine({ ...ended, reason }),
  );
  removeNextHomes(area);
  context.log(
    `Ended migration ${token}, abandoned in state ${state}; .mtjobs/migration/${token} is kept for inspection.`,
  );
}

import { openAllowedArea } from "../../shared/area/area.ts";
import type { JobContext } from "../../shared/job-context.ts";
import { filesOf } from "../move/databases.ts";
import { assertFit } from "../move/fit-area.ts";
import { prepareArea } from "../move/prepare-area.ts";
import { Tally } from "../move/tally.ts";
import { outwaitBusy } from "../move/transaction.ts";
import { endLeft } from "./end-left.ts";
import { assertGapFit } from "./id-gap.ts";
import { ensureMigrationDirectory } from "./migration-files.ts";
import { beginMigration, migrationOf, refuseWhereOpen } from "./migration-table.ts";
import { withMigration } from "./part.ts";
import { findStandingPair } from "./standing-pair.ts";
import { rowOf } from "./undo.ts";

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
  const pair = await findStandingPair(area, settings);
  const files = filesOf(area, pair);
  await outwaitBusy(signal, () => assertFit(files, new Tally()));
  await outwaitBusy(signal, () => assertGapFit(files));
  await outwaitBusy(signal, () => prepareArea({ area, files }));
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
      if (isNew) await endLeft(session, payload.fromHome);
      await session.commit("area", () => {
        // Otherwise resumed.
        if (!isNew) return;
        refuseWhereOpen(session.db);
        beginMigration(session.db, row, session.token, "closed");
      });
      ensureMigrationDirectory(area, (await rowOf(session, payload.migration)).token);
      await session.handOver();
      return { token: session.token };
    },
  );
}

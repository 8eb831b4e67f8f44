import { appendHistory } from "../../shared/area/history.ts";
import { JobsError } from "../../shared/errors.ts";
import { removeNextHomes } from "./home-switch.ts";
import { settledLine, undoneLine } from "./migration-history.ts";
import { advance, openMigration } from "./migration-table.ts";
import type { MigrationSession } from "./part.ts";
import { decide, rowOf } from "./undo.ts";

/**
 * Ends, before a take-over, a migration that would wait for the lost home. Keeps its directory: a snapshot may hold
 * rows that never sync.
 *
 * @param home what `.homehost` held when the take-over was requested
 * @throws JobsError `conflict` if the homehost is now another
 */
export async function endLeft(session: MigrationSession, home: string): Promise<void> {
  const { area, context, db } = session;
  let row = await session.read(() => openMigration(db));
  if (row === undefined) return;
  const reason = `take-over ${context.jobId} ended it: ${home} is gone`;
  if (row.state !== "undoing" && row.state !== "switched") row = await decide(session, row, reason);
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

import { appendHistory } from "../../shared/area/history.ts";
import { JobsError } from "../../shared/errors.ts";
import { removeNextHomes } from "./home-switch.ts";
import { settledLine, undoneLine } from "./migration-history.ts";
import { advance, openMigration } from "./migration-table.ts";
import { commit, type MigrationPart, read } from "./part.ts";
import { decide, rowOf } from "./undo.ts";

/**
 * Ends, before a take-over, a migration that would wait for the lost home. Keeps its directory: a snapshot may hold
 * rows that never sync.
 *
 * @param home what `.homehost` held when the take-over was requested
 * @throws JobsError `conflict` if the homehost is now another
 */
export async function endLeft(part: MigrationPart, home: string): Promise<void> {
  const { area, context, db } = part;
  let row = await read(part, () => openMigration(db));
  if (row === undefined) return;
  const reason = `take-over ${context.jobId} ended it: ${home} is gone`;
  if (row.state !== "undoing" && row.state !== "switched") row = await decide(part, row, reason);
  const isSwitched = row.state === "switched";
  const isHome = isSwitched ? row.to_home : row.from_home;
  if (isHome !== home) {
    throw new JobsError("conflict", `the homehost is now ${isHome}, not ${home}`, {
      hint: "check mtjobs status AREA, and repeat the take-over if that host is gone too",
    });
  }
  const { token, state } = row;
  await commit(part, () => advance(db, token, isSwitched ? "settled" : "undone"));
  const ended = await rowOf(part, row.job_id);
  appendHistory(
    area,
    isSwitched ? settledLine(ended, { merged: 0, kept: 0 }) : undoneLine({ ...ended, reason }),
  );
  removeNextHomes(area);
  context.log(
    `Ended migration ${token}, abandoned in state ${state}; .mtjobs/migration/${token} is kept for inspection.`,
  );
}

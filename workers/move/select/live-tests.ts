import { setImmediate as yieldNow } from "node:timers/promises";
import { prepared } from "../../../shared/sqlite/connection.ts";
import { lifeOf } from "../../../shared/sqlite/times.ts";
import { planOf } from "../../records/record-session.ts";
import { isUnfinished } from "../../records/test-states.ts";
import { runsOfReusedIds } from "../ids/reused-ids.ts";
import type { JobSession } from "../session/job-session.ts";
import { enterSlice, gatherTests, SliceCutter } from "../slices/slices.ts";

/** Tests read in one statement: a few milliseconds of a shared lock. */
const chunk = 2_000;

/** Returns true if a test of the run, not of another run with its id, may still report: then its rows must stay. */
export async function isAlive(session: JobSession, run: bigint, deadAfterMs: number): Promise<boolean> {
  const { db, fresh } = session;
  const reused = () => runsOfReusedIds(db, fresh, planOf(session, "runs"), [run]);
  if ((await session.read(reused)).length > 0) return false;
  const alive = () =>
    prepared<[bigint, number], number>(
      db,
      `SELECT EXISTS (SELECT 1 FROM temp.slice_tests AS s CROSS JOIN ${fresh}.tests AS t ON t.id = s.id
       WHERE t.run_id = ? AND ${lifeOf("t")} >= ? AND ${isUnfinished(`${fresh}.tests`)})`,
    ).pluck();
  const since = (Date.now() - deadAfterMs) / 1000;
  const counts = await session.read(() => gatherTests(db, [run], [fresh]));
  const cutter = new SliceCutter(db, counts, () => chunk);
  for (let slice = cutter.next(); slice !== undefined; slice = cutter.next()) {
    enterSlice(db, slice);
    if ((await session.read(() => alive().get(run, since))) === 1) return true;
    await yieldNow();
  }
  return false;
}

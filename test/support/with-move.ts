import { createLike } from "../../shared/area/ownership.ts";
import type { JobContext } from "../../shared/job-context.ts";
import { parsePayload } from "../../shared/queue/payload.ts";
import type { SampleArea } from "../../shared/sample-area/build-area.ts";
import { resolveSettings } from "../../shared/settings.ts";
import { CacheTimes, cacheTimesSetup } from "../../workers/move/cache-times.ts";
import { ensureCompletedDb } from "../../workers/move/completed-db.ts";
import { acquire, release } from "../../workers/move/lease.ts";
import type { Move } from "../../workers/move/move.ts";
import { openMove, openPlace } from "../../workers/move/prepare.ts";
import { Tally } from "../../workers/move/tally.ts";

/** What a job's code on the area's host is given. */
export function contextOf(area: SampleArea, jobId = "job-1"): JobContext {
  return {
    jobId,
    settings: resolveSettings({ flags: { host: area.host, user: area.user, cacheRoot: area.cacheRoot } }),
    env: {},
    signal: new AbortController().signal,
    log: () => {},
    progress: () => {},
    failpoint: () => {},
  };
}

/** Takes the lease of an area, at home, for as long as `body` works with its databases. */
export async function withMove<T>(
  area: SampleArea,
  body: (move: Move, beforeCommit: () => void) => Promise<T>,
): Promise<T> {
  const context = contextOf(area);
  const tally = new Tally();
  const payload = parsePayload("reduce", { v: 1, area: area.directory, runname: "%" });
  const place = await openPlace(payload, context, tally);
  createLike(place.files.completed, place.files.area);
  ensureCompletedDb(place.files.completed, [place.files.area]);
  const move = openMove(place, { payload, job: "reduce" }, context, tally);
  const times = new CacheTimes(cacheTimesSetup(place.area, place.cache));
  const lease = {
    db: move.db,
    refillDue: false,
    parts: [...move.sources, "completed"] as const,
    context,
    times,
  };
  try {
    move.token = await acquire(lease);
    const value = await body(move, () => times.renew());
    await release(lease, move.token);
    return value;
  } finally {
    move.db.close();
  }
}

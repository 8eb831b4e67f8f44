import { createLike } from "../../shared/area/ownership.ts";
import type { JobContext } from "../../shared/job-context.ts";
import { parsePayload } from "../../shared/queue/payload.ts";
import type { SampleArea } from "../../shared/sample-area/build-area.ts";
import { resolveSettings } from "../../shared/settings.ts";
import { CacheTimes, cacheTimesSetup } from "../../workers/move/cache-times.ts";
import { ensureCompletedDb } from "../../workers/move/completed-db.ts";
import { connect, sourcesOf } from "../../workers/move/databases.ts";
import { acquire, release } from "../../workers/move/lease.ts";
import { JobSession, jobSetup } from "../../workers/move/move.ts";
import { openPlace } from "../../workers/move/prepare.ts";

/** Returns the context of a job's code on the area's host. */
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
export async function withMove<T>(area: SampleArea, body: (move: JobSession) => Promise<T>): Promise<T> {
  const context = contextOf(area);
  const payload = parsePayload("reduce", { v: 1, area: area.directory, runname: "%" });
  const place = await openPlace(payload, context);
  createLike(place.files.completed, place.files.area);
  ensureCompletedDb(place.files.completed, [place.files.area]);
  const parts = [...sourcesOf(place.files), "completed"] as const;
  const db = connect(place.files, parts);
  const times = new CacheTimes(cacheTimesSetup(place.area, place.cache));
  const lease = { db, refillDue: false, parts, context, times };
  try {
    const token = await acquire(lease);
    const value = await body(new JobSession({ ...jobSetup(db, place, payload, "reduce"), times, token }));
    await release(lease, token);
    return value;
  } finally {
    db.close();
  }
}

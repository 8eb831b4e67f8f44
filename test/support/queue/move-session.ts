import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { createLike } from "../../../shared/area/ownership.ts";
import { parsePayload } from "../../../shared/contract/payload.ts";
import { CacheTimes, cacheTimesSetup } from "../../../workers/area-db/cache-mtime.ts";
import { ensureCompletedDb } from "../../../workers/area-db/completed-db.ts";
import { connect, sourcesOf } from "../../../workers/area-db/databases.ts";
import type { JobContext } from "../../../workers/area-db/job-context.ts";
import { acquire, release } from "../../../workers/area-db/lease.ts";
import { openAreaForJob } from "../../../workers/area-db/open-area.ts";
import { JobSession, jobSetup } from "../../../workers/move/session/job-session.ts";

/** Takes the lease of an area, at home, while `body` works with its databases. */
export async function withSession<T>(
  area: SampleArea,
  context: JobContext,
  body: (session: JobSession) => Promise<T>,
): Promise<T> {
  const payload = parsePayload("reduce", { v: 1, area: area.directory, runname: "%" });
  const place = await openAreaForJob(payload, context);
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

import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { resolveSettings } from "../../../shared/settings/settings.ts";
import type { JobContext } from "../../../workers/area-db/job-context.ts";
import type { JobSession } from "../../../workers/move/session/job-session.ts";

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

/** Takes the lease of an area, at home, while `body` works with its databases. */
export async function withMove<T>(area: SampleArea, body: (session: JobSession) => Promise<T>): Promise<T> {
  const { withSession } = await import("./move-session.ts");
  return await withSession(area, contextOf(area), body);
}

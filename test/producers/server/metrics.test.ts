import { describe, expect, it } from "vitest";
import { openArea } from "../../../shared/area/area.ts";
import { ensureAreaId } from "../../../shared/area/area-id.ts";
import { appendHistory } from "../../../shared/area/history.ts";
import { withServerStage } from "../../support/queue.ts";

const served = withServerStage({ env: { MTJOBS_TOKEN: "secret" } });

describe("/metrics", () => {
  it("tells Prometheus of queues, workers and areas, and needs the token", async () => {
    const { stage, call } = served;
    expect((await call("GET /metrics")).status).toBe(401);
    const path = stage.area("a1", "hosta");
    const area = openArea(path);
    ensureAreaId(area);
    const at = (second: number) => new Date(second * 1000).toISOString();
    appendHistory(area, { jobId: "r1", job: "reduce", at: at(1000) });
    appendHistory(area, { jobId: "r2", job: "reduce", at: at(2000), error: { code: "busy", message: "x" } });
    appendHistory(area, { jobId: "s1", job: "restore", at: at(3000) });
    await stage.enqueue("hosta", path, "later");
    await stage.worker("hostb");
    const { headers, body } = await call("GET /metrics", undefined, { authorization: "Bearer secret" });
    expect(headers.get("content-type")).toContain("text/plain; version=0.0.4");
    for (const line of [
      "mtjobs_redis_up 1",
      "mtjobs_areas_readable 1",
      'mtjobs_jobs{host="hosta",state="waiting"} 1',
      'mtjobs_worker_up{host="hosta"} 0',
      'mtjobs_worker_up{host="hostb"} 1',
      `mtjobs_area_database_bytes{area="${path}",database="megatest.db"} 0`,
      `mtjobs_area_last_success_timestamp_seconds{area="${path}",job="reduce"} 1000`,
      `mtjobs_area_last_job_failed{area="${path}",job="reduce"} 1`,
      `mtjobs_area_last_job_failed{area="${path}",job="restore"} 0`,
    ]) {
      expect(body.split("\n")).toContain(line);
    }
  });
});

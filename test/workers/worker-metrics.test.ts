import { userInfo } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { buildArea } from "../../producers/demo/sample-area/build-area.ts";
import type { MoveResult } from "../../shared/contract/move-result.ts";
import { waitFor } from "../support/area.ts";
import { onQueue, startCommand } from "../support/queue.ts";

describe("worker --metrics", () => {
  it("counts jobs by kind and outcome, how long they took and the rows they moved", () =>
    onQueue(async (stage) => {
      const user = userInfo().username;
      const directory = join(stage.root, "a1");
      const cacheRoot = join(stage.root, "cache");
      const area = buildArea({ directory, cacheRoot, user, host: "hosta", runs: 3, testsPerRun: 2 });
      const env = {
        ...{ MTJOBS_REDIS_URL: stage.url, MTJOBS_PREFIX: stage.prefix, MTJOBS_HOST: "hosta" },
        ...{ MTJOBS_AREAS: stage.root, MTJOBS_CACHE_ROOT: cacheRoot },
      };
      const worker = startCommand(["worker", "--metrics", "0"], { env });
      try {
        const url = await waitFor("the worker", () => /metrics at (http:[^"]+)/.exec(worker.stderr())?.[1], {
          state: worker.stderr,
        });
        const payload = { v: 1, area: area.directory, runname: "%", deadAfter: 0 };
        const writer = new Database(area.megatestDb);
        writer.exec("BEGIN IMMEDIATE");
        const good = await stage.add("hosta", "reduce", payload);
        await stage.reach("hosta", good, "active");
        await waitFor("the area's lock", async () => {
          const text = await (await fetch(url)).text();
          return text.includes('mtjobs_worker_locks_held{host="hosta"} 1');
        });
        writer.exec("ROLLBACK");
        writer.close();
        const job = await stage.reach("hosta", good, "completed");
        const bad = await stage.add("hosta", "made-up", {});
        await stage.reach("hosta", bad, "failed");
        const lines = await waitFor("both jobs to be counted", async () => {
          const text = await (await fetch(url)).text();
          return text.includes('outcome="failed"') && text.split("\n");
        });
        const { moved, bytes } = job.returnvalue as MoveResult;
        const { runs } = moved;
        expect(runs).toBeGreaterThan(0);
        for (const line of [
          'mtjobs_worker_jobs_total{job="reduce",outcome="completed",host="hosta"} 1',
          'mtjobs_worker_jobs_total{job="other",outcome="failed",host="hosta"} 1',
          'mtjobs_worker_job_duration_seconds_count{host="hosta",job="reduce"} 1',
          `mtjobs_worker_rows_moved_total{job="reduce",table="runs",host="hosta"} ${runs}`,
          'mtjobs_worker_locks_held{host="hosta"} 0',
          `mtjobs_worker_database_bytes{area="${area.directory}",database="cache/megatest.db",host="hosta"} ${bytes["cache/megatest.db"]?.after}`,
        ]) {
          expect(lines).toContain(line);
        }
        const sampleOf = (metric: string) =>
          Number(lines.find((line) => line.startsWith(metric))?.split(" ")[1]);
        for (const database of ["cache/megatest.db", "cache/megatest_ref.db", "megatest.db"]) {
          const labels = `{host="hosta",database="${database}"}`;
          expect(sampleOf(`mtjobs_worker_lock_seconds_count${labels}`)).toBeGreaterThan(0);
          expect(sampleOf(`mtjobs_worker_batch_tests_sum${labels}`)).toBeGreaterThanOrEqual(2 * runs);
        }
        expect(lines.find((line) => line.startsWith("mtjobs_worker_busy_wait_seconds_count"))).toBeDefined();
      } finally {
        worker.child.kill("SIGTERM");
      }
      expect((await worker.finished).code).toBe(0);
    }));
});

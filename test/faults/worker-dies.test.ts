// Mostly waits: run beside others.
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { builtThreadUrl } from "../../workers/job-thread/job-threads.ts";
import { casesOf, giveTestsTo, newArea, waitFor } from "../support/area.ts";
import {
  assertFinished,
  assertUnharmed,
  canStartServer,
  fencesOf,
  historyOf,
  isStopped,
  onQueue,
  type QueueStage,
  unionOf,
  type WorkerProcess,
  withServer,
} from "../support/queue.ts";

/** Several batches, rows not synced, and a run larger than one copy takes. */
function build(): SampleArea {
  const area = newArea({ runs: 9, testsPerRun: 450, stepsPerTest: 1, dataPerTest: 0 });
  giveTestsTo(area, 1, [2, 3]);
  return area;
}

/** A worker of the area's host, doing real jobs. */
function workerOf(stage: QueueStage, area: SampleArea, failpoint = ""): Promise<WorkerProcess> {
  return stage.worker(area.host, {
    MTJOBS_AREAS: area.directory,
    MTJOBS_CACHE_ROOT: area.cacheRoot,
    MTJOBS_USER: area.user,
    MTJOBS_TEST_THREAD: builtThreadUrl().href,
    MTJOBS_FAILPOINT: failpoint,
  });
}

describe("a worker that dies under a real job", () => {
  it.each(casesOf(["copied:2", "deleted-in-area:1", "committed-in-cache:6"], 1))(
    "at %s leaves it to the next worker of the host, which finishes it under the same id",
    (failpoint) =>
      onQueue(async (stage) => {
        const area = build();
        const before = unionOf(area);
        const first = await workerOf(stage, area, `${failpoint}=kill`);
        const id = await stage.enqueue(area.host, area.directory, "%");
        expect(await first.exited).toBe("SIGKILL");
        assertUnharmed(area, before);
        await workerOf(stage, area);
        const job = await stage.reach(area.host, id, "completed", 40_000);
        expect(job.returnvalue).toMatchObject({ jobId: id, state: "completed" });
        assertFinished(area, before);
        expect(historyOf(area)).toMatchObject([{ jobId: id, state: "completed" }]);
      }),
  );

  it("that is paused beyond the job's lock leaves it to another worker, and commits nothing more", () =>
    onQueue(async (stage) => {
      const area = build();
      const before = unionOf(area);
      const paused = await workerOf(stage, area);
      const id = await stage.enqueue(area.host, area.directory, "%");
      // Not by a failpoint: it would stop the same worker again at its next try.
      await waitFor("the job to be at work", () => fencesOf(area).completed?.token === 1);
      paused.child.kill("SIGSTOP");
      expect(historyOf(area)).toEqual([]);
      const other = await workerOf(stage, area);
      // It waits for the lease, which is a minute long, or for a lock that the paused one holds.
      await waitFor("the other worker to take the job", () => other.stderr().includes("started the job"), {
        deadline: 40_000,
        state: other.stderr,
      });
      paused.child.kill("SIGCONT");
      const job = await stage.reach(area.host, id, "completed", 40_000);
      expect(job.returnvalue).toMatchObject({ state: "completed" });
      assertFinished(area, before);
    }));
});

describe.runIf(canStartServer)("Redis under a real job", () => {
  it("may be flushed: the area is whole, and the same job asked for again finishes the work", () =>
    withServer([], (url) =>
      onQueue(async (stage) => {
        const area = build();
        const before = unionOf(area);
        const worker = await workerOf(stage, area, "removing:2=stop");
        await stage.enqueue(area.host, area.directory, "%");
        await waitFor("the worker to stop", () => isStopped(worker.child.pid), { state: worker.stderr });
        await stage.redis.flushall();
        worker.child.kill("SIGCONT");
        const id = await stage.enqueue(area.host, area.directory, "%");
        await stage.reach(area.host, id, "completed", 40_000);
        assertFinished(area, before);
      }, url),
    ));

  it("may die and come back empty: the job ends without it, and the next one finds nothing amiss", () =>
    withServer([], (url, server) =>
      onQueue(async (stage) => {
        const area = build();
        const before = unionOf(area);
        const worker = await workerOf(stage, area, "removing:2=stop");
        await stage.enqueue(area.host, area.directory, "%");
        await waitFor("the worker to stop", () => isStopped(worker.child.pid), { state: worker.stderr });
        await server.kill();
        worker.child.kill("SIGCONT");
        await waitFor("the job to end without Redis", () => historyOf(area).length > 0, {
          deadline: 20_000,
          state: worker.stderr,
        });
        await server.restart();
        await waitFor("the test to be connected again", () => stage.redis.status === "ready");
        const id = await stage.enqueue(area.host, area.directory, "%");
        await stage.reach(area.host, id, "completed", 40_000);
        assertFinished(area, before);
      }, url),
    ));
});

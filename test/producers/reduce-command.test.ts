import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { announceHost } from "../../shared/queue/hosts.ts";
import { waitFor } from "../support/area.ts";
import {
  canStartServer,
  documentOf,
  errorCodeOf,
  onQueue,
  type QueueStage,
  runCommand,
  startCommand,
  withServer,
} from "../support/queue.ts";

const settings = (stage: QueueStage, host: string) => ({
  MTJOBS_REDIS_URL: stage.url,
  MTJOBS_PREFIX: stage.prefix,
  MTJOBS_HOST: host,
});

const reduce = (stage: QueueStage, area: string, ...more: string[]) =>
  runCommand(["reduce", area, "--runname", "hold", "--json", ...more], { env: settings(stage, "hosta") });

describe.runIf(canStartServer)("reduce through a Redis that may evict jobs", () => {
  it("is refused as its worker is, with the remedy, before anything is added", () =>
    withServer(["--maxmemory-policy", "allkeys-lru"], (url) =>
      onQueue(async (stage) => {
        const finished = await reduce(stage, stage.area("a1", "hosta"));
        expect([finished.code, errorCodeOf(finished)]).toEqual([1, "bad-redis"]);
        expect(finished.stdout).toContain("CONFIG SET maxmemory-policy noeviction");
        expect(await stage.redis.keys("*")).toEqual([]);
      }, url),
    ));
});

describe("reduce", () => {
  it("refuses before anything is sent: no selector, no area, or outside the allowed roots", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      const env = settings(stage, "hosta");
      const bare = await runCommand(["reduce", area, "--json"], { env });
      expect([bare.code, errorCodeOf(bare)]).toEqual([2, "usage"]);
      const missing = await reduce(stage, join(stage.root, "nowhere"));
      expect([missing.code, errorCodeOf(missing)]).toEqual([2, "not-an-area"]);
      const outside = await reduce(stage, area, "--areas", "/usr");
      expect([outside.code, errorCodeOf(outside)]).toEqual([3, "outside-roots"]);
      expect(await stage.redis.keys(`${stage.prefix}:*`)).toEqual([]);
    }));

  it("refuses a timeout without waiting", () =>
    onQueue(async (stage) => {
      const finished = await reduce(stage, stage.area("a1", "hosta"), "--timeout", "1s");
      expect([finished.code, errorCodeOf(finished)]).toEqual([2, "usage"]);
    }));

  it("returns at once with the job's id, and takes the working directory for the area", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      const finished = await runCommand(["-reduce-records", "-runname", "w%", "-json"], {
        env: settings(stage, "hosta"),
        cwd: area,
      });
      expect(finished.code).toBe(0);
      const { jobId, ...rest } = documentOf(finished);
      expect(rest).toEqual({ job: "reduce", area, host: "hosta", duplicate: false, served: false });
      const job = await stage.reach("hosta", String(jobId), "waiting");
      expect(job.data).toMatchObject({
        v: 1,
        area,
        runname: "w%",
        requestedBy: expect.stringMatching(/@hosta$/),
      });
    }));

  it("returns the first job's id if an unfinished job is requested again", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      const first = documentOf(await reduce(stage, area));
      const second = documentOf(await reduce(stage, area));
      expect(second).toEqual({ ...first, duplicate: true });
      expect(documentOf(await reduce(stage, area, "--keep", "1")).duplicate).toBe(false);
    }));

  it("enqueues at the area's homehost when a worker there is known", () =>
    onQueue(async (stage) => {
      await stage.worker("hostb", { MTJOBS_ADDRESS: "10.0.0.2" });
      const document = documentOf(await reduce(stage, stage.area("a1", "10.0.0.2")));
      expect(document).toMatchObject({ host: "hostb", served: true });
    }));

  it("ends with 4 when it waits and no worker serves the host, and leaves the job in its queue", () =>
    onQueue(async (stage) => {
      const finished = await reduce(stage, stage.area("a1", "hosta"), "--wait");
      expect([finished.code, errorCodeOf(finished)]).toEqual([4, "no-worker"]);
      const { details } = documentOf(finished).error as { details: { jobId: string } };
      expect(await stage.state("hosta", details.jobId)).toBe("waiting");
    }));

  it("ends with 4 within seconds where the homehost has no worker, though this host's takes the job first", () =>
    onQueue(async (stage) => {
      await stage.worker("hosta");
      const finished = await reduce(stage, stage.area("a1", "hostb"), "--wait");
      expect([finished.code, errorCodeOf(finished)]).toEqual([4, "no-worker"]);
      expect(finished.ms).toBeLessThan(8000);
      const { details, message } = documentOf(finished).error as {
        details: { jobId: string; homehost: string };
        message: string;
      };
      expect(details.homehost).toBe("hostb");
      expect(message).toContain(`job ${details.jobId} waits`);
      expect(await stage.state("hosta", details.jobId)).toMatch(/delayed|waiting|active/);
    }));

  it("ends with 4 within seconds where the job went on to a host whose worker has gone", () =>
    onQueue(async (stage) => {
      const gone = await stage.worker("hostb");
      gone.child.kill("SIGTERM");
      await gone.exited;
      const area = stage.area("a1", "hostb");
      await stage.worker("hosta");
      const jobId = await stage.enqueue("hosta", area, "hold");
      await stage.reach("hostb", jobId, "waiting");
      const finished = await reduce(stage, area, "--wait");
      expect([finished.code, errorCodeOf(finished)]).toEqual([4, "no-worker"]);
      expect(documentOf(finished).error).toMatchObject({ details: { host: "hostb", jobId } });
      expect(finished.ms).toBeLessThan(8000);
      expect(await stage.state("hostb", jobId)).toBe("waiting");
    }));

  it("waits for the result and prints it as the only thing on stdout", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      await stage.worker("hosta");
      stage.release(area);
      const finished = await reduce(stage, area, "--wait");
      expect(finished).toMatchObject({ code: 0, stderr: "" });
      expect(documentOf(finished)).toMatchObject({ job: "reduce", area, host: "hosta", state: "completed" });
    }));

  it("ends with 5 when the timeout passes, and the job goes on", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      await stage.worker("hosta");
      const finished = await reduce(stage, area, "--wait", "--timeout", "1s");
      expect([finished.code, errorCodeOf(finished)]).toEqual([5, "timeout"]);
      const [begun] = await stage.traced(area, "begin");
      stage.release(area);
      await stage.reach("hosta", begun?.jobId ?? "", "completed");
    }));

  it("ends with 130 on Ctrl-C while it waits, and the job goes on", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      await stage.worker("hosta");
      const waiting = startCommand(["reduce", area, "--runname", "hold", "--wait", "--json"], {
        env: settings(stage, "hosta"),
      });
      const [begun] = await stage.traced(area, "begin");
      waiting.child.kill("SIGINT");
      const finished = await waiting.finished;
      expect([finished.code, errorCodeOf(finished)]).toEqual([130, "interrupted"]);
      stage.release(area);
      await stage.reach("hosta", begun?.jobId ?? "", "completed");
    }));

  it("ends with the exit code of the job's own refusal and prints the job's document with the error", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      await stage.worker("hosta");
      const args = ["reduce", area, "--runname", "refuse", "--wait"];
      const json = await runCommand([...args, "--json"], { env: settings(stage, "hosta") });
      expect(json.code).toBe(3);
      expect(documentOf(json)).toMatchObject({ job: "reduce", area, host: "hosta", state: "failed" });
      expect(errorCodeOf(json)).toBe("pinned");
      const plain = await runCommand(args, { env: settings(stage, "hosta") });
      expect(plain).toMatchObject({ code: 3, stdout: "" });
      expect(plain.stderr).toContain("mtjobs: this area is pinned\n");
    }));

  it("follows a job that is forwarded to the homehost", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hostb");
      // hosta is known and hostb is not when the job is enqueued; hostb comes before hosta looks at the job.
      await announceHost(stage.redis, stage.prefix, {
        host: "hosta",
        address: null,
        version: "0.0.0",
        pid: 0,
        user: "x",
        cacheRoot: "/tmp",
        areas: [],
        startedAt: new Date().toISOString(),
      });
      const waiting = startCommand(["reduce", area, "--runname", "hold", "--wait"], {
        env: settings(stage, "hosta"),
      });
      await waitFor("the job", async () => (await stage.redis.exists(`${stage.prefix}:host.hosta:id`)) === 1);
      await stage.worker("hostb");
      await stage.worker("hosta");
      stage.release(area);
      const { code, stdout, stderr } = await waiting.finished;
      expect(code).toBe(0);
      expect(stdout).toContain("on hostb");
      expect(stderr).toContain("hosta is not the homehost: job forwarded to hostb");
    }));

  it("ends as cancelled where somebody cancels the job it waits for before it began", () =>
    onQueue(async (stage) => {
      await stage.worker("hosta");
      const holding = stage.area("a1", "hosta");
      await stage.enqueue("hosta", holding, "hold");
      await stage.traced(holding, "begin");
      const area = stage.area("a2", "hosta");
      const waiting = startCommand(["reduce", area, "--runname", "%", "--wait", "--json"], {
        env: settings(stage, "hosta"),
      });
      const queued = async () =>
        (
          documentOf(
            await runCommand(["jobs", "--state", "waiting", "--json"], { env: settings(stage, "hosta") }),
          ).jobs as { jobId: string }[]
        )[0]?.jobId;
      const jobId = await waitFor("the job", queued);
      await runCommand(["cancel", jobId], { env: settings(stage, "hosta") });
      const finished = await waiting.finished;
      expect([finished.code, errorCodeOf(finished)]).toEqual([1, "cancelled"]);
      expect(documentOf(finished)).toMatchObject({ jobId, state: "cancelled", area });
      stage.release(holding);
    }));

  it("ends as cancelled where somebody cancels the job it waits for", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      await stage.worker("hosta");
      const waiting = startCommand(["reduce", area, "--runname", "hold", "--wait", "--json"], {
        env: settings(stage, "hosta"),
      });
      const [begun] = await stage.traced(area, "begin");
      const cancel = await runCommand(["cancel", begun?.jobId ?? ""], { env: settings(stage, "hosta") });
      expect(cancel).toMatchObject({ code: 0, stderr: "" });
      expect(cancel.stdout).toContain("asked to stop on hosta");
      const finished = await waiting.finished;
      expect([finished.code, errorCodeOf(finished)]).toEqual([1, "cancelled"]);
      expect(documentOf(finished).state).toBe("cancelled");
    }));
});

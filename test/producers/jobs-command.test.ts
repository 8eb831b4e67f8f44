import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { waitFor, writeFile } from "../support/area.ts";
import {
  documentOf,
  errorCodeOf,
  onQueue,
  type QueueStage,
  runCommand,
  startCommand,
} from "../support/queue.ts";

const run = (stage: QueueStage, ...args: string[]) =>
  runCommand(args, {
    env: { MTJOBS_REDIS_URL: stage.url, MTJOBS_PREFIX: stage.prefix, MTJOBS_HOST: "hosta" },
  });

const jobsOf = async (stage: QueueStage, ...args: string[]) =>
  documentOf(await run(stage, "jobs", "--json", ...args)).jobs as { jobId: string; state: string }[];

describe("jobs", () => {
  it("lists the jobs of all hosts, the newest first, and filters by host and state", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      const waiting = await stage.enqueue("hostb", area, "later");
      await stage.worker("hosta");
      const refused = await stage.enqueue("hosta", area, "refuse");
      await stage.reach("hosta", refused, "failed");
      const ids = async (...args: string[]) => (await jobsOf(stage, ...args)).map(({ jobId }) => jobId);
      expect(await ids()).toEqual([refused, waiting]);
      expect(await ids("--host", "hostb")).toEqual([waiting]);
      expect(await ids("--state", "failed")).toEqual([refused]);
      expect(await ids("-state", "active,delayed")).toEqual([]);
      const { stdout } = await run(stage, "jobs");
      expect(stdout).toMatch(
        new RegExp(`^${refused} +hosta +failed +${area} .*pinned: this area is pinned$`, "m"),
      );
    }));

  it("filters by area, keeps to a number of jobs, and hides the steps between workers without --all", () =>
    onQueue(async (stage) => {
      const [one, other] = [stage.area("a1", "hosta"), stage.area("a2", "hosta")];
      const add = (host: string, area: string, timestamp: number) =>
        stage.add(host, "reduce", { v: 1, area }, { timestamp, jobId: `reduce-${timestamp}` });
      const first = await add("hosta", one, 1000);
      const step = { v: 1, area: one, step: "tend" };
      await stage.add("hosta", "migrate-step", step, { timestamp: 2000, jobId: "tend-1" });
      const second = await add("hostb", one, 3000);
      const third = await add("hosta", other, 4000);
      const ids = async (...args: string[]) => (await jobsOf(stage, ...args)).map(({ jobId }) => jobId);
      expect(await ids()).toEqual([third, second, first]);
      expect(await ids("--all")).toEqual([third, second, "tend-1", first]);
      expect(await ids("--area", one)).toEqual([second, first]);
      expect(await ids("--area", `${one}/../a1/`, "--limit", "1")).toEqual([second]);
      expect(await ids("--limit", "2", "--all")).toEqual([third, second]);
      expect((await run(stage, "jobs", "--area", "/nowhere")).stdout).toBe("no jobs on /nowhere\n");
    }));

  it("filters by kind and by requester, and shows internal steps if that kind is named", () =>
    onQueue(async (stage) => {
      const add = (name: string, jobId: string, requestedBy: string, timestamp: number) =>
        stage.add("hosta", name, { v: 1, area: "/areas/a1", requestedBy }, { jobId, timestamp });
      await add("reduce", "reduce-1", "ann@hosta", 1000);
      await add("restore", "restore-1", "joanna@hostb", 2000);
      await add("migrate-step", "check-1", "bob@hosta", 3000);
      const ids = async (...args: string[]) => (await jobsOf(stage, ...args)).map(({ jobId }) => jobId);
      expect(await ids("--job", "restore")).toEqual(["restore-1"]);
      expect(await ids("--by", "Ann")).toEqual(["restore-1", "reduce-1"]);
      expect(await ids("--by", "ann@", "--job", "reduce")).toEqual(["reduce-1"]);
      expect(await ids("--job", "migrate-step")).toEqual(["check-1"]);
      expect(await ids("--by", "bob")).toEqual([]);
    }));

  it("finds an area's job behind more jobs of other areas than one read returns", () =>
    onQueue(async (stage) => {
      const data = (area: string) => ({ name: "reduce", data: { v: 1, area } });
      const others = Array.from({ length: 1100 }, () => data("/areas/other"));
      await stage.queue("hosta").addBulk([data("/areas/a1"), ...others]);
      expect(await jobsOf(stage, "--area", "/areas/a1")).toMatchObject([{ jobId: "1" }]);
      expect(await jobsOf(stage, "--limit", "700")).toHaveLength(700);
    }));

  it("refuses a limit that is no number of jobs, and an empty area", () =>
    onQueue(async (stage) => {
      for (const args of [
        ["--limit", "0"],
        ["--limit", "some"],
        ["--area", ""],
      ]) {
        const finished = await run(stage, "jobs", ...args, "--json");
        expect([finished.code, errorCodeOf(finished)]).toEqual([2, "usage"]);
      }
    }));

  it("refuses a state that is none", () =>
    onQueue(async (stage) => {
      const finished = await run(stage, "jobs", "--state", "done", "--json");
      expect([finished.code, errorCodeOf(finished)]).toEqual([2, "usage"]);
    }));

  it("lists a job once that is found in two lists, as one that is taken up while they are read", () =>
    onQueue(async (stage) => {
      const jobId = await stage.enqueue("hosta", stage.area("a1", "hosta"), "later");
      await stage.redis.lpush(stage.queue("hosta").toKey("active"), jobId);
      expect((await jobsOf(stage)).map((job) => job.jobId)).toEqual([jobId]);
    }));

  it("shows a job that another tool added with data of its own", () =>
    onQueue(async (stage) => {
      await stage.add("hosta", "reduce", "nonsense");
      expect(await jobsOf(stage)).toMatchObject([{ state: "waiting", area: null, data: "nonsense" }]);
    }));
});

describe("job", () => {
  it("shows a running job's progress and log, and its result once it has ended", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      await stage.worker("hosta");
      const jobId = await stage.enqueue("hosta", area, "hold");
      await stage.traced(area, "begin");
      const running = await run(stage, "job", jobId);
      expect(running.stdout).toMatch(/^state +active$/m);
      stage.release(area);
      await stage.reach("hosta", jobId, "completed");
      const ended = documentOf(await run(stage, "job", jobId, "--json"));
      expect(ended).toMatchObject({ jobId, state: "completed", area, result: { jobId, moved: { runs: 0 } } });
      expect(ended.log).toContainEqual(expect.stringContaining("the script is hold"));
    }));

  it("follows a job with its log until it ends, and then ends with the job's exit code", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hostb");
      await stage.worker("hostb");
      await stage.worker("hosta");
      const jobId = await stage.enqueue("hosta", area, "hold");
      const env = { MTJOBS_REDIS_URL: stage.url, MTJOBS_PREFIX: stage.prefix, MTJOBS_HOST: "hosta" };
      const following = startCommand(["job", jobId, "--follow"], { env });
      await waitFor("the log", () => following.stderr().includes("the script is hold"), {
        state: following.stderr,
      });
      expect(following.stdout()).toBe("");
      stage.release(area);
      const finished = await following.finished;
      expect(finished.code).toBe(0);
      expect(finished.stdout).toMatch(/^state +completed$/m);
      expect(finished.stderr.match(/the script is hold/g)).toHaveLength(1);
      const refused = await stage.enqueue("hostb", area, "refuse");
      const failed = await run(stage, "job", refused, "--follow", "--json");
      expect([failed.code, documentOf(failed)]).toMatchObject([
        3,
        { jobId: refused, state: "failed", error: { code: "pinned" }, log: expect.any(Array) },
      ]);
      expect((await run(stage, "job", refused, "--json")).code).toBe(0);
    }));

  it("stops following when the time is up or no worker serves the host, and leaves the job", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      const waiting = await stage.enqueue("hostb", area, "later");
      const unserved = await run(stage, "job", waiting, "--follow", "--json");
      expect([unserved.code, errorCodeOf(unserved)]).toEqual([4, "no-worker"]);
      await stage.worker("hosta");
      const jobId = await stage.enqueue("hosta", area, "hold");
      const late = await run(stage, "job", jobId, "--follow", "--timeout", "300ms", "--json");
      expect([late.code, errorCodeOf(late)]).toEqual([5, "timeout"]);
      expect(await stage.state("hosta", jobId)).toBe("active");
      expect((await run(stage, "job", jobId, "--timeout", "1s")).code).toBe(2);
    }));

  it("exits with 2 for an unknown job", () =>
    onQueue(async (stage) => {
      for (const verb of ["job", "cancel"]) {
        const finished = await run(stage, verb, "reduce-0123", "--json");
        expect([finished.code, errorCodeOf(finished)]).toEqual([2, "unknown-job"]);
      }
    }));
});

describe("cancel", () => {
  it("takes a job that waits from its queue, and keeps it as cancelled for who looks later", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hostb");
      const jobId = await stage.enqueue("hostb", area, "later");
      const finished = await run(stage, "cancel", jobId, "--json");
      expect(finished.code).toBe(0);
      expect(documentOf(finished)).toEqual({ jobId, host: "hostb", outcome: "removed" });
      const job = documentOf(await run(stage, "job", jobId, "--json"));
      expect(job).toMatchObject({ jobId, host: "hostb", state: "cancelled", area, startedAt: null });
      expect(job).toMatchObject({ error: { code: "cancelled" }, finishedAt: expect.any(String) });
      expect(job.log).toEqual([expect.stringMatching(/^Cancelled by \S+@\S+\.$/)]);
      expect(await jobsOf(stage, "--state", "cancelled")).toMatchObject([{ jobId }]);
      expect(documentOf(await run(stage, "cancel", jobId, "--json")).outcome).toBe("finished");
      // No worker takes it up, and the same work may be asked for anew.
      const again = await stage.enqueue("hostb", area, "later");
      expect(again).not.toBe(jobId);
      stage.release(area);
      await stage.worker("hostb");
      await stage.reach("hostb", again, "completed");
      expect(stage.trace(area).map((line) => line.jobId)).toEqual([again, again]);
    }));

  it("takes a job from its queue that is put off until later", () =>
    onQueue(async (stage) => {
      const jobId = await stage.add("hostb", "reduce", { v: 1 }, { delay: 60_000 });
      expect(documentOf(await run(stage, "cancel", jobId, "--json")).outcome).toBe("removed");
      expect(await jobsOf(stage, "--state", "cancelled")).toMatchObject([{ jobId }]);
      expect(await jobsOf(stage, "--state", "delayed")).toEqual([]);
    }));

  it("says of a job that waits to go on that what it moved stays moved, and keeps its log", () =>
    onQueue(async (stage) => {
      const worker = await stage.worker("hosta");
      const areas = { paused: stage.area("a1", "hosta"), stopped: stage.area("a2", "hosta") };
      const busy = { v: 1, area: stage.area("a3", "hosta"), runname: "busy" };
      const retried = await stage.add("hosta", "reduce", busy, { attempts: 2, backoff: 60_000 });
      await stage.reach("hosta", retried, "delayed");
      writeFile(join(areas.paused, ".mtjobs/pause"), "");
      const paused = await stage.enqueue("hosta", areas.paused, "hold");
      await stage.reach("hosta", paused, "delayed");
      const stopped = await stage.enqueue("hosta", areas.stopped, "hold");
      await stage.traced(areas.stopped, "begin");
      worker.child.kill("SIGTERM");
      await worker.exited;
      for (const jobId of [retried, paused, stopped]) {
        const log = await stage.story("hosta", jobId);
        expect(log).not.toEqual([]);
        const { stdout } = await run(stage, "cancel", jobId);
        expect(stdout).toMatch(/from the queue of hosta, where it waited to go on; what it has moved stays/);
        const job = documentOf(await run(stage, "job", jobId, "--json"));
        expect(job).toMatchObject({ state: "cancelled", startedAt: expect.any(String) });
        expect(job.error).toMatchObject({
          message: "the job was cancelled while it waited to go on",
          hint: expect.stringMatching(/^runs already moved stay moved/),
        });
        expect(job.log).toEqual([...log, expect.stringMatching(/^Cancelled by /)]);
      }
    }));

  it("asks which host's job a number means where several hosts gave it", () =>
    onQueue(async (stage) => {
      for (const host of ["hosta", "hostb"]) expect(await stage.add(host, "reduce", { v: 1 })).toBe("1");
      for (const verb of ["job", "cancel"]) {
        const finished = await run(stage, verb, "1", "--json");
        expect([finished.code, errorCodeOf(finished)]).toEqual([2, "usage"]);
      }
      const cancelled = documentOf(await run(stage, "cancel", "1", "--host", "hostb", "--json"));
      expect(cancelled).toEqual({ jobId: "1", host: "hostb", outcome: "removed" });
      expect(documentOf(await run(stage, "job", "1", "--host", "hosta", "--json")).state).toBe("waiting");
    }));

  it("stops a running job, which is then listed as cancelled, and leaves a finished one as it is", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      await stage.worker("hosta");
      const jobId = await stage.enqueue("hosta", area, "hold");
      await stage.traced(area, "begin");
      expect(documentOf(await run(stage, "cancel", jobId, "--json")).outcome).toBe("requested");
      await stage.reach("hosta", jobId, "failed");
      expect((await stage.story("hosta", jobId)).join("\n")).toMatch(/^Cancelled by \S+@\S+\.$/m);
      expect(await jobsOf(stage, "--state", "cancelled")).toMatchObject([{ jobId, state: "cancelled" }]);
      expect(await jobsOf(stage, "--state", "failed")).toEqual([]);
      expect(documentOf(await run(stage, "cancel", jobId, "--json")).outcome).toBe("finished");
    }));

  it("finds a forwarded job where it went", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hostb");
      await stage.worker("hostb");
      await stage.worker("hosta");
      const jobId = await stage.enqueue("hosta", area, "hold");
      await stage.traced(area, "begin");
      expect(await jobsOf(stage, "--state", "forwarded")).toMatchObject([{ jobId, host: "hosta" }]);
      const cancelled = documentOf(await run(stage, "cancel", jobId, "--json"));
      expect(cancelled).toEqual({ jobId, host: "hostb", outcome: "requested" });
      await stage.reach("hostb", jobId, "failed");
    }));
});

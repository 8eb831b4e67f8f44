import { describe, expect, it } from "vitest";
import { newJobId } from "../../shared/queue/names.ts";
import { documentOf, errorCodeOf, onQueue, type QueueStage, runCommand } from "../support/queue.ts";

const day = 86_400_000;

/** Runs the command on hosta. */
const run = (stage: QueueStage, args: readonly string[], cwd = "/") =>
  runCommand(args, {
    env: { MTJOBS_REDIS_URL: stage.url, MTJOBS_PREFIX: stage.prefix, MTJOBS_HOST: "hosta" },
    cwd,
  });

describe("restore", () => {
  it("refuses to begin without a selector, as reduce does, and sends nothing", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      const bare = await run(stage, ["restore", area, "--include-locked", "--touch", "--json"]);
      expect([bare.code, errorCodeOf(bare)]).toEqual([2, "usage"]);
      expect(documentOf(bare).error).toMatchObject({ hint: "use --runname % to select every run" });
      expect(await stage.redis.keys(`${stage.prefix}:*`)).toEqual([]);
    }));

  it("puts all that was asked for into the job's data, in Megatest's spelling as in ours", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      const selectors = ["-target", "u/%", "-runname", "w%", "-state", "a", "-status", "b", "-run-id", "7,9"];
      const limits = ["-age", "30d", "-keep", "2", "-include-locked", "-dead-after", "2d", "-grace", "30s"];
      const how = ["-on-conflict", "rename", "-touch", "-compact", "never", "-dry-run", "-json"];
      const finished = await run(stage, ["-restore-records", ...selectors, ...limits, ...how], area);
      expect(finished).toMatchObject({ code: 0, stderr: "" });
      const { jobId, ...rest } = documentOf(finished);
      expect(rest).toEqual({ job: "restore", area, host: "hosta", duplicate: false, served: false });
      expect(jobId).toMatch(/^restore-[0-9a-f]{16}$/);
      const job = await stage.reach("hosta", String(jobId), "waiting");
      expect([job.name, job.data]).toEqual([
        "restore",
        {
          ...{ v: 1, area, requestedBy: expect.stringMatching(/@hosta$/), dryRun: true },
          ...{ target: "u/%", runname: "w%", state: "a", status: "b", runId: [7, 9] },
          ...{ age: 30 * day, keep: 2, includeLocked: true, deadAfter: 2 * day },
          ...{ onConflict: "rename", touch: true, grace: 30_000, compact: "never" },
        },
      ]);
    }));

  it("refuses conflicts, touches nothing and keeps the copies for ten seconds unless told otherwise", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      const { jobId } = documentOf(await run(stage, ["restore", area, "--run-id", "7", "--json"]));
      const { data } = await stage.reach("hosta", String(jobId), "waiting");
      expect(data).toMatchObject({ runId: [7], onConflict: "refuse", touch: false, grace: 10_000 });
    }));

  it("is the same job when it is asked for again, and another one than a reduce of these runs", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      const ask = async (verb: string, ...more: string[]) =>
        documentOf(await run(stage, [verb, area, "--runname", "w%", "--json", ...more]));
      const first = await ask("restore");
      expect(await ask("restore", "--on-conflict", "refuse")).toEqual({ ...first, duplicate: true });
      expect(await ask("restore", "--on-conflict", "rename")).toMatchObject({ duplicate: false });
      expect(await ask("reduce")).toMatchObject({ job: "reduce", duplicate: false });
    }));

  it("is followed over forwarding to its end, and told as a restore in result, list and log", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hostb");
      await stage.worker("hostb");
      await stage.worker("hosta");
      stage.release(area);
      const data = { v: 1, area, runname: "hold" };
      const jobId = await stage.add("hosta", "restore", data, { jobId: newJobId("restore") });
      await stage.reach("hostb", jobId, "completed");
      const shown = await run(stage, ["job", jobId]);
      expect(shown.stdout).toContain(`${jobId}: restored 0 runs of ${area} on hostb`);
      expect(shown.stdout).toMatch(/Done: restored 0 runs in .* s; 0 stay\./);
      const { stdout } = await run(stage, ["jobs"]);
      expect(stdout).toMatch(new RegExp(`^${jobId} +hostb +completed .* 0 runs restored$`, "m"));
      const waited = await run(stage, [
        "restore",
        area,
        "--runname",
        "hold",
        "--dry-run",
        "--wait",
        "--json",
      ]);
      expect(waited).toMatchObject({ code: 0, stderr: "" });
      expect(documentOf(waited)).toMatchObject({ job: "restore", area, host: "hostb", dryRun: true });
      expect((await run(stage, ["jobs"])).stdout).toContain("0 runs to restore");
    }));

  it("ends with the exit code of its refusal, and its document says that it was a restore", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      await stage.worker("hosta");
      const finished = await run(stage, ["restore", area, "--runname", "refuse", "--wait", "--json"]);
      expect([finished.code, errorCodeOf(finished)]).toEqual([3, "pinned"]);
      expect(documentOf(finished)).toMatchObject({ job: "restore", area, host: "hosta", state: "failed" });
    }));

  it("is cancelled as any other job", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      await stage.worker("hosta");
      const { jobId } = documentOf(await run(stage, ["restore", area, "--runname", "hold", "--json"]));
      await stage.traced(area, "begin");
      const cancelled = await run(stage, ["cancel", String(jobId), "--json"]);
      expect(documentOf(cancelled)).toMatchObject({ jobId, outcome: "requested" });
      await stage.reach("hosta", String(jobId), "failed");
      expect(documentOf(await run(stage, ["job", String(jobId), "--json"]))).toMatchObject({
        job: "restore",
        state: "cancelled",
      });
    }));
});

import { DelayedError, type Job, UnrecoverableError } from "bullmq";
import { describe, expect, it } from "vitest";
import { encodeFailure } from "../../shared/contract/failure.ts";
import { JobsError } from "../../shared/errors.ts";
import { isCancelRequested } from "../../shared/queue/cancel.ts";
import {
  announce,
  documentOf,
  errorCodeOf,
  migrated,
  onQueue,
  type QueueStage,
  refused,
  runProgram,
  withStandIn,
} from "../support/queue.ts";

const run = (stage: QueueStage, ...args: string[]) => runProgram(stage, args);

const against = [
  { name: "tests" as const, ok: false, detail: "2 tests are running", facts: { running: 2 } },
  { name: "open-files" as const, ok: null, detail: "who has the cache open cannot be seen" },
];

describe("migrate", () => {
  it("enqueues for the host that is to be the home, by name or address, by default this one", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "10.0.0.1");
      await announce(stage, "hosta");
      await announce(stage, "hostb", { address: "10.0.0.2" });
      const options = ["--from", "hosta", "--quiet-for", "5m", "--when-quiet", "--deadline", "1h"];
      const enqueued = documentOf(
        await run(stage, "migrate", area, "--to", "10.0.0.2", ...options, "--json"),
      );
      expect(enqueued).toMatchObject({ job: "migrate", area, host: "hostb", duplicate: false, served: true });
      const job = documentOf(await run(stage, "job", String(enqueued.jobId), "--json"));
      expect(job).toMatchObject({ state: "waiting", host: "hostb", requestedBy: expect.any(String) });
      expect(job.data).toMatchObject({
        ...{
          v: 1,
          area,
          to: "hostb",
          from: "hosta",
          quietFor: 300_000,
          whenQuiet: true,
          deadline: 3_600_000,
        },
        ...{ stopServers: false, takeover: false, confirmed: false, now: false, dryRun: false },
      });
      const here = documentOf(await run(stage, "migrate", area, "--json"));
      expect(here).toMatchObject({ host: "hosta", duplicate: false });
      expect(documentOf(await run(stage, "migrate", area, "--json"))).toMatchObject({
        ...{ jobId: here.jobId, duplicate: true },
      });
    }));

  it("prints with --wait where the area went, and the same for programs", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "10.0.0.1");
      await withStandIn(stage, "hostb", migrated, async () => {
        const text = await run(stage, "migrate", area, "--to", "hostb", "--wait");
        expect([text.code, text.stderr]).toEqual([0, ""]);
        expect(text.stdout).toContain(`moved ${area} from hosta (10.0.0.1) to hostb (10.0.0.2) in 3.2 s`);
        const json = await run(stage, "migrate", area, "--to", "hostb", "--dry-run", "--wait", "--json");
        expect([json.code, documentOf(json)]).toMatchObject([
          0,
          { outcome: "migrated", dryRun: true, token: 12 },
        ]);
        const { stdout } = await run(stage, "jobs");
        expect(stdout).toContain("moved from hosta (10.0.0.1) to hostb (10.0.0.2)");
        expect(stdout).toContain("could move from hosta");
      });
    }));

  it("ends with 3 and everything that was found where it is refused", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "10.0.0.1");
      const earliestAt = "2026-01-01T12:00:00.000Z";
      await withStandIn(
        stage,
        "hostb",
        (job) => refused(job, against, { earliestAt }),
        async () => {
          const json = await run(stage, "migrate", area, "--to", "hostb", "--wait", "--json");
          const document = documentOf(json);
          expect([json.code, errorCodeOf(json)]).toEqual([3, "not-quiescent"]);
          expect(document).toMatchObject({ job: "migrate", outcome: "refused", checks: against });
          // The document is not told twice.
          expect((document.error as { details: unknown }).details).toEqual({ earliestAt });
          const text = await run(stage, "migrate", area, "--to", "hostb", "--wait");
          expect(text.stdout).toMatch(/^ {2}AGAINST {2}tests {7}2 tests are running$/m);
          expect(text.stdout).toMatch(/^ {2}unknown {2}open-files {2}who has/m);
          expect(text.stderr).toContain("hint: wait with --when-quiet");
          const job = await run(stage, "job", String(document.jobId));
          expect(job.stdout).toMatch(/refused to move .*: 2 tests are running/);
        },
      );
    }));

  it("leaves a migration that waits half done to its worker when it is cancelled, and has it look at once", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "10.0.0.1");
      const wait = async (job: Job) => {
        if (await isCancelRequested(stage.redis, stage.prefix, { host: "hostb", jobId: job.id ?? "" }))
          throw new UnrecoverableError(encodeFailure(new JobsError("cancelled", "undone by its worker")));
        await job.updateProgress({
          phase: "wait-quiet",
          runs: { done: 0, total: 0 },
          rows: { done: 0 },
          own: 1,
        });
        await job.moveToDelayed(Date.now() + 600_000, job.token);
        throw new DelayedError();
      };
      await withStandIn(stage, "hostb", wait, async () => {
        const { jobId } = documentOf(
          await run(stage, "migrate", area, "--to", "hostb", "--when-quiet", "--json"),
        );
        await stage.reach("hostb", String(jobId), "delayed");
        const waiting = documentOf(await run(stage, "job", String(jobId), "--json"));
        expect(waiting.progress).toEqual({
          phase: "wait-quiet",
          runs: { done: 0, total: 0 },
          rows: { done: 0 },
        });
        expect((await run(stage, "jobs")).stdout).toContain("waiting until the area is quiet");
        const cancelled = documentOf(await run(stage, "cancel", String(jobId), "--json"));
        expect(cancelled).toMatchObject({ outcome: "requested", host: "hostb" });
        await stage.reach("hostb", String(jobId), "failed");
        const ended = documentOf(await run(stage, "job", String(jobId), "--json"));
        expect(ended).toMatchObject({ state: "cancelled", error: { message: "undone by its worker" } });
      });
    }));

  it("takes over only what a person at a terminal, or --yes in a script, says is off", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "10.0.0.1");
      await announce(stage, "hosta");
      const script = await run(stage, "migrate", area, "--takeover", "--json");
      expect([script.code, errorCodeOf(script)]).toEqual([3, "unconfirmed"]);
      const takeover = ["migrate", area, "--takeover"];
      const declined = await runProgram(stage, takeover, { types: "yes" });
      expect([declined.code, declined.stderr]).toEqual([
        3,
        expect.stringContaining("Type off to continue: "),
      ]);
      expect(documentOf(await run(stage, "jobs", "--json")).jobs).toEqual([]);
      expect((await runProgram(stage, takeover, { types: "off" })).code).toBe(0);
      const again = documentOf(await run(stage, ...takeover, "--yes", "--json"));
      expect(again).toMatchObject({ duplicate: true });
      const job = documentOf(await run(stage, "job", String(again.jobId), "--json"));
      expect(job.data).toMatchObject({ takeover: true, confirmed: true });
      expect((await run(stage, "migrate", area, "--timeout", "1s")).code).toBe(2);
    }));
});

import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { withSession } from "../../producers/jobs/session.ts";
import { pauseSchedule, resumeSchedule } from "../../producers/schedules/pause.ts";
import { listSchedules, removeSchedule } from "../../producers/schedules/schedules.ts";
import { redisKey } from "../../shared/queue/names.ts";
import { resolveSettings } from "../../shared/settings/settings.ts";
import { waitFor } from "../support/area.ts";
import { documentOf, errorCodeOf, onQueue, type QueueStage, runCommand } from "../support/queue.ts";

const hour = 3_600_000;

const env = (stage: QueueStage) => ({
  MTJOBS_REDIS_URL: stage.url,
  MTJOBS_PREFIX: stage.prefix,
  MTJOBS_HOST: "hosta",
});

const schedule = (stage: QueueStage, ...args: string[]) =>
  runCommand(["schedule", ...args, "--json"], { env: env(stage) });

const listed = async (stage: QueueStage) =>
  documentOf(await schedule(stage, "list")).schedules as Record<string, unknown>[];

const key = (stage: QueueStage) => redisKey(stage.prefix, "paused-schedules");

/** What of a schedule must be the same after a pause and a resume. */
const lasting = ({ name, host, job, area, cron, tz, every, data }: Record<string, unknown>) => ({
  ...{ name, host, job, area, cron, tz, every, data },
});

test("a paused schedule is in no queue, keeps its name, and comes back as it was", () =>
  onQueue(async (stage) => {
    const area = stage.area("a1", "hosta");
    const cron = ["--cron", "0 2 * * *", "--tz", "Europe/Berlin"];
    const added = documentOf(await schedule(stage, "add", "reduce", area, "--age", "30d", ...cron));
    const paused = documentOf(await schedule(stage, "pause", "reduce-a1"));
    expect(paused).toMatchObject({
      ...lasting(added),
      next: null,
      overdue: false,
      paused: {
        at: expect.stringMatching(/^20\d\d-.*Z$/),
        by: expect.stringMatching(/^[\w.-]+@hosta$/),
      },
    });
    expect(await stage.queue("hosta").getJobSchedulersCount()).toBe(0);
    expect(await stage.queue("hosta").getDelayedCount()).toBe(0);
    expect(await listed(stage)).toEqual([{ ...paused, ok: true, problem: null, last: null }]);
    const again = await schedule(stage, "add", "reduce", area, "--age", "1d", ...cron);
    expect([again.code, errorCodeOf(again)]).toEqual([2, "usage"]);
    expect(documentOf(await schedule(stage, "pause", "reduce-a1"))).toEqual(paused);
    const { stdout } = await runCommand(["schedule", "list"], { env: env(stage) });
    expect(stdout).toMatch(/^reduce-a1 .* paused since 20\d\d-\S+ by [\w.-]+@hosta$/m);
    const forgotten = documentOf(
      await runCommand(["host", "forget", "hosta", "--json"], { env: env(stage) }),
    );
    expect(forgotten).toMatchObject({ left: { schedules: 1 } });

    const resumed = documentOf(await schedule(stage, "resume", "reduce-a1"));
    expect(resumed).toEqual(added);
    expect(await stage.redis.hlen(key(stage))).toBe(0);
    expect(await stage.queue("hosta").getJobSchedulersCount()).toBe(1);
    expect(documentOf(await schedule(stage, "resume", "reduce-a1"))).toEqual(added);
    const unknown = await Promise.all([
      schedule(stage, "pause", "other"),
      schedule(stage, "resume", "other"),
    ]);
    expect(unknown.map(errorCodeOf)).toEqual(["usage", "usage"]);
  }));

test("an interval keeps its times through a pause, also through one longer than itself", () =>
  onQueue(async (stage) => {
    const area = stage.area("a1", "hosta");
    await stage.worker("hosta");
    await schedule(stage, "add", "reduce", area, "--runname", "x", "--every", "1h", "--name", "hourly");
    await stage.traced(area, "begin");
    const [before] = await listed(stage);
    const next = Date.parse(String(before?.next));
    expect(next).toBeGreaterThan(Date.now());
    await schedule(stage, "pause", "hourly");
    expect(documentOf(await schedule(stage, "resume", "hourly")).next).toBe(before?.next);

    await schedule(stage, "pause", "hourly");
    const record = JSON.parse((await stage.redis.hget(key(stage), "hourly")) ?? "");
    expect(record.next).toBe(next);
    await stage.redis.hset(key(stage), "hourly", JSON.stringify({ ...record, next: next - 5 * hour }));
    expect(documentOf(await schedule(stage, "resume", "hourly")).next).toBe(before?.next);
    const turns = await stage.queue("hosta").getJobs(["completed", "delayed", "waiting", "active"]);
    expect(turns.filter(({ repeatJobKey }) => repeatJobKey === "hourly")).toHaveLength(2);
  }));

test("changes of one schedule wait for each other, and the schedule is never lost", () =>
  onQueue(async (stage) => {
    const area = stage.area("a1", "hosta");
    const every = ["--every", "1h", "--name", "hourly"];
    await schedule(stage, "add", "reduce", area, "--age", "30d", ...every);
    const flags = { redisUrl: stage.url, prefix: stage.prefix, host: "hosta" };
    await withSession(resolveSettings({ flags }), async (session) => {
      await pauseSchedule(session, "hourly", "ann@hosta");
      // Between the two steps of the resume there is time for a pause.
      const queue = session.queue("hosta");
      const upsert = queue.upsertJobScheduler.bind(queue);
      queue.upsertJobScheduler = async (...parameters) => {
        const added = await upsert(...parameters);
        await sleep(200);
        return added;
      };
      const resumed = resumeSchedule(session, "hourly");
      await waitFor("the first step", async () => (await queue.getJobSchedulersCount()) === 1);
      const [, second] = await Promise.all([resumed, pauseSchedule(session, "hourly", "ben@hosta")]);
      expect(second).toMatchObject({ name: "hourly", paused: { by: "ben@hosta" } });
      expect(await listSchedules(session)).toEqual([second]);
      await Promise.allSettled([resumeSchedule(session, "hourly"), removeSchedule(session, "hourly")]);
      expect(await listSchedules(session)).toEqual([]);
    });
    expect(await stage.redis.keys(`${stage.prefix}:changing-schedule:*`)).toEqual([]);
  }));

test("a resume that was interrupted is none, and can be repeated", () =>
  onQueue(async (stage) => {
    const area = stage.area("a1", "hosta");
    const every = ["--every", "1h", "--name", "hourly"];
    await schedule(stage, "add", "reduce", area, "--age", "30d", ...every);
    await schedule(stage, "pause", "hourly");
    const record = await stage.redis.hget(key(stage), "hourly");
    const resumed = documentOf(await schedule(stage, "resume", "hourly"));
    // The process died before it removed the record.
    await stage.redis.hset(key(stage), "hourly", record ?? "");
    expect(await listed(stage)).toMatchObject([{ name: "hourly", paused: null, next: resumed.next }]);
    expect(documentOf(await schedule(stage, "resume", "hourly"))).toEqual(resumed);
    expect(documentOf(await schedule(stage, "pause", "hourly"))).toMatchObject({ next: null });
    const status = documentOf(await runCommand(["status", "--json"], { env: env(stage) }));
    expect(status.automatic).toMatchObject([
      { name: "hourly", ok: true, paused: { by: expect.any(String) } },
    ]);
  }));

test("what another program asked for by BullMQ's own means comes back, or a pause is refused", () =>
  onQueue(async (stage) => {
    const data = { v: 1, area: stage.area("a1", "hosta"), age: 1000, requestedBy: "tool" };
    const queue = stage.queue("hosta");
    const endDate = Date.now() + 30 * 24 * hour;
    const template = { name: "reduce", data, opts: { priority: 7, attempts: 2 } };
    await queue.upsertJobScheduler("theirs", { pattern: "0 2 * * *", tz: "UTC", endDate }, template);
    const before = await queue.getJobScheduler("theirs");
    await schedule(stage, "pause", "theirs");
    expect(await queue.getJobScheduler("theirs")).toBeUndefined();
    await schedule(stage, "resume", "theirs");
    expect(await queue.getJobScheduler("theirs")).toEqual(before);

    await queue.upsertJobScheduler("limited", { every: hour, limit: 3 }, template);
    await queue.upsertJobScheduler("twice", { every: hour }, template);
    await stage.queue("hostb").upsertJobScheduler("twice", { every: hour }, template);
    await stage.add("hostb", "reduce", data);
    const refused = [await schedule(stage, "pause", "limited"), await schedule(stage, "pause", "twice")];
    expect(refused.map(errorCodeOf)).toEqual(["usage", "usage"]);
    expect([await queue.getJobSchedulersCount(), await stage.redis.hlen(key(stage))]).toEqual([3, 0]);
  }));

test("a pause that was interrupted is none, and can be repeated or forgotten", () =>
  onQueue(async (stage) => {
    const area = stage.area("a1", "hosta");
    const every = ["--every", "1h", "--name", "hourly"];
    const added = documentOf(await schedule(stage, "add", "reduce", area, "--age", "30d", ...every));
    const flags = { redisUrl: stage.url, prefix: stage.prefix, host: "hosta" };
    await withSession(resolveSettings({ flags }), async (session) => {
      const queue = session.queue("hosta");
      const remove = queue.removeJobScheduler.bind(queue);
      queue.removeJobScheduler = () => Promise.reject(new Error("the process died here"));
      await expect(pauseSchedule(session, "hourly", "ann@hosta")).rejects.toThrow("died here");
      queue.removeJobScheduler = remove;
    });
    expect(await stage.redis.hlen(key(stage))).toBe(1);
    expect(await listed(stage)).toMatchObject([{ name: "hourly", paused: null, next: added.next }]);
    expect(documentOf(await schedule(stage, "pause", "hourly"))).toMatchObject({
      paused: { by: expect.stringMatching(/@hosta$/) },
    });
    expect(await stage.queue("hosta").getJobSchedulersCount()).toBe(0);
    expect(documentOf(await schedule(stage, "remove", "hourly"))).toMatchObject({ removed: true });
    expect([await stage.redis.hlen(key(stage)), await listed(stage)]).toEqual([0, []]);
  }));

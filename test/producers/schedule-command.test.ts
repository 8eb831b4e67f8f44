import { getNextMillis } from "bullmq";
import { expect, test } from "vitest";
import { checkRequest } from "../../producers/jobs/check-move.ts";
import { withSession } from "../../producers/jobs/session.ts";
import {
  addSchedule,
  listSchedules,
  removeSchedule,
  type ScheduleOptions,
} from "../../producers/schedules/schedules.ts";
import { JobsError } from "../../shared/errors.ts";
import { listOutcomes } from "../../shared/queue/outcomes.ts";
import { resolveSettings } from "../../shared/settings/settings.ts";
import { waitFor } from "../support/area.ts";
import { documentOf, errorCodeOf, onQueue, type QueueStage, runCommand } from "../support/queue.ts";

const settings = (stage: QueueStage) => ({
  MTJOBS_REDIS_URL: stage.url,
  MTJOBS_PREFIX: stage.prefix,
  MTJOBS_HOST: "hosta",
});

const run = (stage: QueueStage, ...args: string[]) =>
  runCommand([...args, "--json"], { env: settings(stage) });

test("a cron pattern is read by the clock of its zone, also when that is put forward or back", () => {
  const next = (pattern: string, tz: string, from: string) =>
    new Date(getNextMillis(Date.parse(from), { pattern, tz }) ?? 0).toISOString();
  const berlin = (from: string) => next("30 2 * * *", "Europe/Berlin", from);
  expect(berlin("2026-01-10T12:00:00Z")).toBe("2026-01-11T01:30:00.000Z");
  expect(berlin("2026-07-10T12:00:00Z")).toBe("2026-07-11T00:30:00.000Z");
  // Half past two does not come on 29 March 2026: its turn is an hour later, and not left out.
  expect(berlin("2026-03-28T12:00:00Z")).toBe("2026-03-29T01:30:00.000Z");
  // On 25 October 2026 it comes twice: one turn.
  expect(berlin("2026-10-24T12:00:00Z")).toBe("2026-10-25T00:30:00.000Z");
  expect(berlin("2026-10-25T00:30:00Z")).toBe("2026-10-26T01:30:00.000Z");
});

test("a schedule is added with its zone, listed with its next turn, and removed", () =>
  onQueue(async (stage) => {
    const area = stage.area("a1", "hosta");
    const cron = ["--cron", "0 2 * * *", "--tz", "Europe/Berlin"];
    const added = await run(
      stage,
      "schedule",
      "add",
      "reduce",
      area,
      "--age",
      "30d",
      "--between",
      "01:00-05:00",
      ...cron,
    );
    const schedule = documentOf(added);
    expect(schedule).toMatchObject({
      name: "reduce-a1",
      host: "hosta",
      job: "reduce",
      area,
      cron: "0 2 * * *",
      tz: "Europe/Berlin",
      every: null,
      overdue: false,
      data: { age: 30 * 24 * 3_600_000, between: "01:00-05:00", tz: "Europe/Berlin", schedule: "reduce-a1" },
    });
    const hours = {
      timeZone: "Europe/Berlin",
      hour: "2-digit",
      hourCycle: "h23",
      minute: "2-digit",
    } as const;
    expect(new Date(String(schedule.next)).toLocaleTimeString("en", hours)).toBe("02:00");
    const [again, listed, turn, plain] = await Promise.all([
      run(stage, "schedule", "add", "reduce", area, "--age", "1d", ...cron),
      run(stage, "schedule", "list"),
      run(stage, "cancel", `repeat:reduce-a1:${Date.parse(String(schedule.next))}`),
      runCommand(["schedule", "list"], { env: settings(stage) }),
    ]);
    expect([again.code, errorCodeOf(again)]).toEqual([2, "usage"]);
    expect(documentOf(listed)).toEqual({ schedules: [{ ...schedule, ok: true, problem: null, last: null }] });
    expect((documentOf(turn).error as { hint: string }).hint).toContain("mtjobs schedule remove reduce-a1");
    expect(plain.stdout).toMatch(
      /^reduce-a1 +hosta +reduce +\S+a1 +0 2 \* \* \* \(Europe\/Berlin\) +20[-\d]+ 02:00 Europe\/Berlin$/m,
    );
    expect(documentOf(await run(stage, "schedule", "remove", "reduce-a1"))).toMatchObject({ removed: true });
    const flags = { redisUrl: stage.url, prefix: stage.prefix, host: "hosta" };
    const gone = withSession(resolveSettings({ flags }), (session) => removeSchedule(session, "reduce-a1"));
    await expect(gone).rejects.toMatchObject({ code: "usage" });
    expect(await stage.queue("hosta").getJobSchedulersCount()).toBe(0);
  }));

test("what is no schedule is refused by name and adds nothing", () =>
  onQueue(async (stage) => {
    const area = stage.area("a1", "hosta");
    const flags = { redisUrl: stage.url, prefix: stage.prefix, host: "hosta" };
    const place = { settings: resolveSettings({ flags }), cwd: "/", env: {} };
    const checked = await checkRequest("reduce", { area, age: 1000 }, place);
    await withSession(place.settings, async (session) => {
      const refused = async (options: ScheduleOptions) => {
        const error: unknown = await addSchedule(session, checked, options).catch(
          (thrown: unknown) => thrown,
        );
        return error instanceof JobsError ? `${error.code}: ${error.message}` : error;
      };
      const cron = "0 2 * * *";
      expect(await refused({})).toBe("usage: a schedule needs either --cron or --every");
      expect(await refused({ cron, every: 3_600_000 })).toMatch(/^usage: .*either --cron or --every/);
      expect(await refused({ cron: "61 2 * * *" })).toMatch(
        /^usage: .*"61 2 \* \* \*" is not a cron pattern/,
      );
      for (const often of ["* * * * * *", "0,30 0 2 * * *", "*/20 * * * *  *", "@secondly"])
        expect(await refused({ cron: often })).toMatch(/^usage: .*matches more than once a minute/);
      await expect(addSchedule(session, checked, { cron: "*/30 * * * * *" })).rejects.toMatchObject({
        hint: 'use minute, hour, day of month, month and day of week, such as "0 2 * * 1-5"; an additional first field for seconds may name only one',
      });
      await expect(addSchedule(session, checked, { every: 59_999 })).rejects.toMatchObject({
        message: expect.stringContaining("at least a minute"),
        hint: "for example --every 1m",
      });
      expect(await refused({ cron: "" })).toMatch(/^usage: .*"" is not a cron pattern/);
      expect(await refused({ cron: "0 0 30 2 *" })).toMatch(/^usage: .*or never matches/);
      expect(await refused({ cron, tz: "Europe/Nowhere" })).toMatch(/^usage: .*is not a time zone/);
      expect(await refused({ every: 5000 })).toMatch(/^usage: .*at least a minute/);
      expect(await refused({ cron, name: "a:b" })).toMatch(/^usage: .*is not a valid schedule name/);
      expect(await refused({ cron, name: "id" })).toMatch(/^usage: .*is not a valid schedule name/);
      expect(await listSchedules(session)).toEqual([]);
    });
    const add = ["schedule", "add"];
    const wrong = await Promise.all([
      run(stage, ...add, "reduce", area, "--every", "1h"),
      run(stage, ...add, "vacuum", area, "--every", "1h"),
    ]);
    expect(wrong.map(({ code }) => code)).toEqual([2, 2]);
    expect(wrong.map((each) => (documentOf(each).error as { message: string }).message)).toEqual([
      "reduce: no selector given",
      "unknown command 'vacuum'",
    ]);
  }));

test("a schedule's turn adds the job proper, and jobs that fail are loud in status in JSON and text", () =>
  onQueue(async (stage) => {
    const area = stage.area("a1", "hosta");
    await stage.worker("hosta");
    const every = ["--every", "1h", "--name", "hourly"];
    await run(stage, "schedule", "add", "reduce", area, "--runname", "refuse", ...every);
    const [{ jobId } = { jobId: "" }] = await stage.traced(area, "begin");
    expect(jobId).toMatch(/^reduce-/);
    const job = await stage.reach("hosta", jobId, "failed");
    expect(job.data).toMatchObject({ schedule: "hourly", runname: "refuse" });
    await waitFor("the outcome", async () => (await listOutcomes(stage.redis, stage.prefix)).length > 0);
    const [json, ...texts] = await Promise.all([
      run(stage, "status"),
      runCommand(["status", area], { env: settings(stage) }),
      runCommand(["schedule", "list"], { env: settings(stage) }),
    ]);
    expect(documentOf(json).automatic).toEqual([
      expect.objectContaining({
        ...{ kind: "schedule", name: "hourly", area, ok: false },
        problem: "its last job failed (pinned: this area is pinned); none has ever succeeded",
        last: expect.objectContaining({ failures: 1, jobId }),
      }),
    ]);
    for (const { stdout } of texts)
      expect(stdout).toMatch(/^FAILING: schedule hourly of \S+a1: its last job failed/m);
    const turns = await stage.queue("hosta").getJobs(["completed", "delayed"]);
    expect(turns.map((turn) => [turn.repeatJobKey, turn.returnvalue ?? null])).toEqual(
      expect.arrayContaining([
        ["hourly", { forwarded: { host: "hosta", jobId } }],
        ["hourly", null],
      ]),
    );
  }));

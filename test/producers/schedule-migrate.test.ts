import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { JobsError, MtJobs } from "../../entry/library.ts";
import { listOutcomes } from "../../shared/queue/outcomes.ts";
import { waitFor } from "../support/area.ts";
import { onHosts } from "../support/hosts.ts";
import { announce, documentOf, errorCodeOf, onQueue, type QueueStage, runProgram } from "../support/queue.ts";

const add = (stage: QueueStage, ...args: string[]) =>
  runProgram(stage, ["schedule", "add", ...args, "--json"]);

test("a migration is repeated in the queue of the host that is to be the home, checked as one that is asked for now", () =>
  onQueue(async (stage) => {
    const area = stage.area("a1", "10.0.0.1");
    await announce(stage, "hostb", { address: "10.0.0.2" });
    const weekly = ["--cron", "0 20 * * 5", "--tz", "Europe/Berlin"];
    const options = ["--to", "10.0.0.2", "--when-quiet", "--deadline", "8h", "--stop-servers"];
    const added = documentOf(await add(stage, "migrate", area, ...options, ...weekly));
    expect(added).toMatchObject({
      ...{ name: "migrate-a1", host: "hostb", job: "migrate", area, tz: "Europe/Berlin" },
      data: { to: "hostb", whenQuiet: true, deadline: 28_800_000, stopServers: true, schedule: "migrate-a1" },
    });
    expect(await stage.queue("hostb").getJobSchedulersCount()).toBe(1);
    const wrong = [
      add(stage, "migrate", area, "--to", "hostc", "--name", "other", ...weekly),
      add(stage, "migrate", area, "--to", "hostb", "--deadline", "8h", ...weekly),
      add(stage, "migrate", area, "--to", "hostb", "--takeover", ...weekly),
      add(stage, "migrate", area, "--to", "hostb", "--age", "30d", ...weekly),
      add(stage, "migrate", area, "--to", "hostb", "--name", "never"),
      add(stage, "vacuum", area, ...weekly),
    ];
    const ends = (await Promise.all(wrong)).map((each) => [each.code, errorCodeOf(each)]);
    expect(ends).toEqual([[3, "unfit-host"], ...Array.from({ length: 5 }, () => [2, "usage"])]);
    writeFileSync(join(area, "megatest.config"), "[fields]\nsysname TEXT\n\n[server]\nhomehost 10.0.0.1\n");
    expect(errorCodeOf(await add(stage, "migrate", area, "--name", "other", ...weekly))).toBe("pinned");
    expect(await stage.queue("hostb").getJobSchedulersCount()).toBe(1);
  }));

test("the library adds schedules, lists them with how their jobs ended, and removes them", () =>
  onQueue(async (stage) => {
    const area = stage.area("a1", "hosta");
    await announce(stage, "hosta");
    const mtjobs = new MtJobs({ redisUrl: stage.url, prefix: stage.prefix, host: "hosta" });
    const { schedules } = mtjobs;
    const codeOf = async (asked: Promise<unknown>) =>
      asked.catch((error: unknown) => (error instanceof JobsError ? error.code : error));
    try {
      const nightly = await schedules.add("reduce", area, { age: "30d" }, { cron: "0 2 * * *", tz: "UTC" });
      expect(nightly).toMatchObject({ name: "reduce-a1", cron: "0 2 * * *", data: { age: 2_592_000_000 } });
      await schedules.add("migrate", area, { to: "hosta" }, { every: "7d", name: "weekly" });
      expect(await schedules.list()).toMatchObject([
        { name: "reduce-a1", ok: true, problem: null, last: null },
        { name: "weekly", host: "hosta", every: 604_800_000, data: { to: "hosta" } },
      ]);
      const takeover = { to: "hosta", takeover: true, yes: true };
      expect(await codeOf(schedules.add("migrate", area, takeover, { every: "1d", name: "x" }))).toBe(
        "usage",
      );
      expect(await codeOf(schedules.add("reduce", area, {}, { every: "1d", name: "x" }))).toBe("usage");
      expect(await codeOf(schedules.add("restore" as "reduce", area, {}, { every: "1d" }))).toBe("usage");
      expect(await codeOf(schedules.add("migrate", area, {}, { every: "soon", name: "x" }))).toBe("usage");
      expect(await schedules.remove("weekly")).toMatchObject({ name: "weekly" });
      expect(await codeOf(schedules.remove("weekly"))).toBe("usage");
      expect(await schedules.list()).toHaveLength(1);
    } finally {
      await mtjobs.close();
    }
  }));

test("the turn of a scheduled migration adds the job proper, whose end is told under the schedule's name", () =>
  onHosts(async (hosts) => {
    const { stage } = hosts;
    const area = hosts.area({ runs: 1, testsPerRun: 1 });
    await hosts.start("host-a");
    const added = await add(stage, "migrate", area.directory, "--to", "host-a", "--every", "1h");
    expect(documentOf(added)).toMatchObject({ name: "migrate-a1", host: "host-a" });
    const [outcome] = await waitFor("the outcome", async () => {
      const outcomes = await listOutcomes(stage.redis, stage.prefix);
      return outcomes.length > 0 && outcomes;
    });
    expect(outcome).toMatchObject({ kind: "schedule", name: "migrate-a1", failures: 0, error: null });
    const job = await stage.reach("host-a", outcome?.jobId ?? "", "completed");
    expect(job.id).toMatch(/^migrate-/);
    expect(job.returnvalue).toMatchObject({ outcome: "already-home" });
  }));

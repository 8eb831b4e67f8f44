import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { MtJobs } from "../../entry/library.ts";
import { newArea } from "../support/area.ts";
import { runCommand } from "../support/queue.ts";

const smallArea = () => newArea({ runs: 2, inFlight: 0, testsPerRun: 1 });
const message = "the path of the area is empty";

describe("an area whose path is empty, as a variable that is not set leaves it", () => {
  it.each([
    [["reduce", "", "--runname", "%", "--inline"]],
    [["reduce", "", "--runname", "%"]],
    [["restore", "", "--runname", "%", "--inline"]],
    [["migrate", "", "--to", "hostB"]],
    [["list-runs", ""]],
    [["list-runs", "", "%"]],
    [["query", "", "SELECT 1"]],
    [["query", ""]],
    [["attach-sql", ""]],
    [["status", ""]],
    [["doctor", ""]],
    [["doctor", "", "--repair"]],
    [["schedule", "add", "reduce", "", "--runname", "%", "--every", "1d"]],
    [["schedule", "add", "migrate", "", "--to", "hostB", "--every", "1d"]],
  ])("is a usage error, and not the area in which the command runs: %j", async (args) => {
    const area = smallArea();
    const env = {
      MTJOBS_HOST: area.host,
      MTJOBS_USER: area.user,
      MTJOBS_CACHE_ROOT: area.cacheRoot,
      MTJOBS_REDIS_URL: "redis://127.0.0.1:1",
    };
    const before = readFileSync(area.megatestDb);
    const { code, stdout, stderr } = await runCommand(args, { cwd: area.directory, env });
    expect([code, stdout, stderr]).toEqual([2, "", expect.stringContaining(`mtjobs: ${message}\n  hint: `)]);
    expect(readFileSync(area.megatestDb).equals(before)).toBe(true);
    expect(existsSync(join(area.directory, "completed-runs.db"))).toBe(false);
  });

  it("is one of the library, too", async () => {
    const mtjobs = new MtJobs({ redisUrl: "redis://127.0.0.1:1", host: "hosta" });
    const selectors = { runname: "%" };
    for (const ask of [
      () => mtjobs.reduce("", selectors),
      () => mtjobs.restore("", { ...selectors, inline: true }),
      () => mtjobs.enqueueAll([{ job: "reduce", area: "", ...selectors }]),
      () => mtjobs.migrate("", { to: "hostB" }),
      () => mtjobs.status(""),
      () => mtjobs.doctor(""),
      () => mtjobs.openFullDb(""),
    ])
      await expect(ask()).rejects.toMatchObject({ code: "usage", message });
    await mtjobs.close();
  });
});

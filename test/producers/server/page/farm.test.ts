import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildArea } from "../../../../producers/demo/sample-area/build-area.ts";
import { waitFor } from "../../../support/area.ts";
import {
  picture,
  serverEnv,
  startCommand,
  testsAllPages,
  withBrowser,
  withServerStage,
} from "../../../support/queue.ts";

const wide = { viewport: { width: 1280, height: 800 } };

/** Areas of a farm by name, with their homehosts, their runs, and the number of days over which these began. */
const areas = {
  chip: { host: "hosta", runs: 120, days: 700, testsPerRun: 20 },
  dsp: { host: "hosta", runs: 60, days: 300, testsPerRun: 10 },
  serdes: { host: "hostb", runs: 40, days: 90, testsPerRun: 10 },
};

describe.skipIf(!testsAllPages)(
  "a farm of two workers on the page (needs Chromium)",
  { timeout: 150_000 },
  () => {
    const served = withServerStage();
    const browser = withBrowser();
    const workers: ReturnType<typeof startCommand>[] = [];
    const pathOf = (name: keyof typeof areas) => join(served.stage.root, name);
    const request = async (body: object) => {
      const { status, body: answer } = await served.call("POST /api/v1/jobs", body);
      expect(status).toBe(202);
      const job = async () => (await served.call(`GET /api/v1/jobs/${answer.jobId}`)).body;
      await waitFor("the job to complete", async () => (await job()).state === "completed", {
        ...{ deadline: 60_000, state: job },
      });
    };
    const open = async (path: string, ready: (page: Page) => Promise<void>, name: string) => {
      const { page, offences } = await browser.open(`${served.server.url}/${path}`, wide);
      await ready(page);
      await expect.poll(() => page.locator("main [aria-busy=true]").count(), { timeout: 30_000 }).toBe(0);
      expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBe(0);
      await picture(page, name);
      expect(offences).toEqual([]);
    };

    beforeAll(async () => {
      const { stage, call } = served;
      for (const [name, { host, ...size }] of Object.entries(areas)) {
        buildArea({
          ...{ directory: join(stage.root, name), host, ...size, inFlight: 0, unsynced: false },
          ...{ cacheRoot: join(stage.root, `tmp-${host}`), user: "root" },
          policies:
            name === "serdes" ? { old: "age=60d; between=00:00-24:00", rare: "keep=200; every=7d" } : {},
        });
      }
      for (const host of ["hosta", "hostb"]) {
        const env = {
          ...serverEnv(stage),
          MTJOBS_HOST: host,
          MTJOBS_CACHE_ROOT: join(stage.root, `tmp-${host}`),
        };
        workers.push(startCommand(["worker"], { env: { ...env, MTJOBS_USER: "root" } }));
      }
      for (const worker of workers)
        await waitFor("a worker", () => worker.stderr().includes("serving the queue"), {
          state: worker.stderr,
        });
      await request({ job: "reduce", area: pathOf("chip"), age: "1y" });
      await request({ job: "reduce", area: pathOf("chip"), age: "30d", dryRun: true });
      await request({ job: "restore", area: pathOf("chip"), runname: "w01.1" });
      await request({ job: "reduce", area: pathOf("dsp"), keep: 5 });
      const schedule = { job: "reduce", area: pathOf("dsp"), keep: 5 };
      expect(
        (await call("POST /api/v1/schedules", { name: "nightly", cron: "0 2 * * *", request: schedule }))
          .status,
      ).toBe(201);
      await call("POST /api/v1/schedules", {
        name: "weekly",
        every: "7d",
        request: { ...schedule, age: "90d" },
      });
      await call("PUT /api/v1/schedules/weekly/pause");
    }, 150_000);

    afterAll(async () => {
      for (const { child } of workers) child.kill("SIGTERM");
      await Promise.all(workers.map(({ finished }) => finished));
    });

    it("shows its areas, hosts, jobs, schedules and what a search finds", async () => {
      const text = (content: string) => (page: Page) => page.getByText(content).first().waitFor();
      await open("areas?sort=gain", text("completed"), "areas");
      await open("jobs", (page) => page.locator("tr[data-job]").nth(4).waitFor(), "jobs");
      await open("hosts/hosta", text("worker alive"), "host");
      await open("schedules", text("paused by"), "schedules");
      await open("search?q=w01", text("w01.1"), "search");
    });

    it("shows what a request would do, and rows of SQL over both databases", async () => {
      const { page, offences } = await browser.open(
        `${served.server.url}/request?${new URLSearchParams({ area: pathOf("chip") })}`,
        wide,
      );
      const form = page.getByRole("form", { name: "Request a job" });
      await form.getByLabel("Older than").fill("60d");
      await form.getByRole("button", { name: "Try it" }).click();
      await form
        .getByText(/\d+ runs would be moved.*About [\d.]+ [kM]B go from megatest\.db to completed-runs\.db/)
        .waitFor();
      await form.getByText("The runs").click();
      await picture(page, "request");
      const sql =
        "SELECT sysname, state, count(*) AS runs, sum(fail_count) AS failed_tests FROM runs GROUP BY 1, 2";
      await page.goto(
        `${served.server.url}/areas/by-path/sql?${new URLSearchParams({ path: pathOf("chip"), sql })}`,
      );
      await page.getByRole("button", { name: "Run", exact: true }).click();
      await page.getByText(/rows? from megatest\.db and completed-runs\.db/).waitFor();
      await picture(page, "sql");
      expect(offences).toEqual([]);
    });
  },
);

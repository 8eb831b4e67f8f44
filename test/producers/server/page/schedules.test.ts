import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { buildArea } from "../../../../producers/demo/sample-area/build-area.ts";
import { writeOutcome } from "../../../../shared/queue/outcomes.ts";
import { waitFor } from "../../../support/area.ts";
import {
  accessFaults,
  hasBrowser,
  serverEnv,
  startCommand,
  withBrowser,
  withServerStage,
} from "../../../support/queue.ts";

const wide = { viewport: { width: 1280, height: 900 } };
const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

describe.skipIf(!hasBrowser)(
  "the page of schedules and policies (needs Chromium)",
  { timeout: 150_000 },
  () => {
    const served = withServerStage();
    const browser = withBrowser();
    let area = "";

    beforeAll(async () => {
      const { stage, call } = served;
      area = join(stage.root, "chips");
      buildArea({
        ...{ directory: area, host: "hosta", runs: 9, testsPerRun: 2, inFlight: 0, unsynced: false },
        ...{ cacheRoot: join(stage.root, "caches"), user: "ann", withCache: false },
        policies: { old: "age=30d; between=00:00-24:00; every=1d", never: "keep=900" },
      });
      const now = new Date().toISOString();
      await writeOutcome(stage.redis, stage.prefix, {
        ...{ kind: "policy", name: "old", area, host: "hosta", jobId: "r1", work: "w" },
        ...{ startedAt: now, endedAt: now, error: { code: "disk-full", message: "no space" }, timeUp: null },
      });
      const request = { job: "reduce", area, runname: "no such run", age: "5d" };
      const { status } = await call("POST /api/v1/schedules", {
        name: "nightly",
        cron: "0 2 * * *",
        tz: "UTC",
        request,
      });
      expect(status).toBe(201);
    });

    it("tells what comes when, and runs a schedule and a policy now, whose turns it then lists", async () => {
      const { stage } = served;
      const env = { ...serverEnv(stage), MTJOBS_CACHE_ROOT: stage.root };
      const worker = startCommand(["worker"], { env });
      await waitFor("the worker to serve", () => worker.stderr().includes("serving the queue"), {
        state: () => worker.stderr(),
      });
      const { page, offences } = await browser.open(`${served.server.url}/schedules`, wide);
      const row = (name: string) => page.locator(`tr[data-name=${name}]`);
      await row("nightly").getByText("reduce, 0 2 * * * (UTC)").waitFor();
      expect(await row("nightly").innerText()).toMatch(/02:00:00/);
      await row("old").getByText("reduce, age=30d; between=00:00-24:00; every=1d").waitFor();
      await row("old").getByRole("link", { name: "disk-full" }).waitFor();
      // Its last job failed: it comes again in an hour, not in a day.
      await row("old")
        .locator("td[data-label=next]")
        .getByText("in 1 hour")
        .or(row("old").getByText(/in \d+ minutes/))
        .waitFor();
      await row("never").getByText("reduce, keep=900").waitFor();
      await row("never").getByText("none yet").waitFor();
      await page.getByRole("button", { name: "Pause: nightly" }).click();
      await row("nightly").getByText("paused by").waitFor();
      expect((await served.call("GET /api/v1/schedules")).body.schedules).toMatchObject([
        { name: "nightly", next: null, paused: { by: expect.stringMatching(/@/) } },
      ]);
      await page.getByRole("button", { name: "Resume: nightly" }).click();
      await row("nightly")
        .getByText(/02:00:00/)
        .waitFor();
      expect(await page.getByRole("button", { name: "Pause: old" }).count()).toBe(0);
      for (const name of ["nightly", "old"]) {
        await page.getByRole("button", { name: `Run now: ${name}` }).click();
        await page.getByRole("dialog").getByRole("button", { name: "Run it" }).click();
        await page.locator("dl.facts").getByText("completed", { exact: true }).waitFor();
        await page.goBack();
        await page.getByRole("button", { name: `Turns of ${name}` }).click();
        await page.locator(".turns li", { hasText: "reduce" }).first().waitFor();
        expect(await page.locator(".turns li").count()).toBe(1);
        await row(name).getByRole("link", { name: "completed" }).waitFor();
      }
      expect(await page.getByRole("alert").count()).toBe(0);
      worker.child.kill("SIGTERM");
      expect((await worker.finished).code).toBe(0);
      expect(offences).toEqual([]);
    });

    it("has nothing that axe-core finds wrong, in light, on a phone and in the dark", async () => {
      for (const [options, colorScheme] of [
        [wide, "light"],
        [phone, "dark"],
      ] as const) {
        const { page, offences } = await browser.open(`${served.server.url}/schedules`, {
          ...options,
          colorScheme,
        });
        await page.locator("tr[data-name=old]").getByRole("button", { name: "Run now: old" }).waitFor();
        await page.getByRole("button", { name: "Turns of old" }).focus();
        await page.keyboard.press("Enter");
        await page.locator(".turns").waitFor();
        await expect.poll(() => page.locator("main [aria-busy=true]").count()).toBe(0);
        expect(await accessFaults(page)).toEqual([]);
        expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBe(0);
        expect(offences).toEqual([]);
      }
    });
  },
);

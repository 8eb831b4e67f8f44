import { join } from "node:path";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, it } from "vitest";
import { buildArea } from "../../../../producers/demo/sample-area/build-area.ts";
import { openArea } from "../../../../shared/area/area.ts";
import { appendHistory } from "../../../../shared/area/history.ts";
import { edit } from "../../../support/area.ts";
import {
  accessFaults,
  picture,
  testsAllPages,
  withBrowser,
  withServerStage,
} from "../../../support/queue.ts";

const wide = { viewport: { width: 1280, height: 900 } };
const manyAreas = 500;
/** Areas with records, by their runs; the others are the smallest that count as areas. */
const real = { quiet: 4, large: 40, busy: 12 };

describe.skipIf(!testsAllPages)(
  "the totals on the overview page (need Chromium)",
  { timeout: 150_000 },
  () => {
    const served = withServerStage();
    const browser = withBrowser();
    const names = (page: Page) => page.locator("#areas tbody th a").allInnerTexts();
    const figure = (page: Page, name: string) =>
      page.locator(".figures > div", { has: page.locator("dt", { hasText: name }) });

    beforeAll(async () => {
      const { stage } = served;
      const options = {
        cacheRoot: "/nowhere",
        user: "ann",
        withCache: false,
        unsynced: false,
        testsPerRun: 4,
      };
      for (const [name, runs] of Object.entries(real)) {
        const area = buildArea({ directory: join(stage.root, name), host: "hosta", runs, ...options });
        // Old ones are a gain, new ones growth.
        const at = { quiet: 400, large: 100, busy: 2 }[name] ?? 0;
        const began = Math.floor(Date.now() / 1000) - at * 86_400;
        edit({ ...area, cacheDb: area.megatestDb }, ["area"], (db) =>
          db.exec(`UPDATE runs SET event_time = ${began} + id, state = 'n'`),
        );
        appendHistory(openArea(join(stage.root, name)), {
          ...{
            at: new Date().toISOString(),
            requestedBy: "ann@hosta",
            jobId: `reduce-${name}`,
            job: "reduce",
          },
          state: "completed",
          ...(name === "busy" ? { state: "failed", error: { code: "disk-full", message: "no space" } } : {}),
          bytes: { "megatest.db": { before: 3_000_000, after: 1_000_000 } },
        });
      }
      for (let index = Object.keys(real).length; index < manyAreas; index++)
        stage.area(`small-${index}`, `host${index % 3}`);
      const refused = join(stage.root, "small-9");
      stage.moveHome(refused, "hostb");
      const failed = await stage.enqueue("hostb", refused, "refuse");
      await stage.worker("hostb");
      await stage.reach("hostb", failed, "failed");
    });

    const sorted = async (page: Page, order: string) => {
      await page.getByLabel("Sort by", { exact: true }).selectOption({ label: `sort by ${order}` });
      await page.locator("#areas .wide[aria-busy=false]").waitFor();
    };

    it("come first, with what is wrong and the jobs of each hour", async () => {
      const { page, offences } = await browser.open(served.server.url, wide);
      await figure(page, "Areas").getByText(String(manyAreas), { exact: true }).waitFor({ timeout: 60_000 });
      await expect.poll(() => figure(page, "Runs in megatest.db").innerText()).toMatch(/56/);
      expect(await figure(page, "Bytes saved").innerText()).toMatch(/6\.00 MB/);
      expect(await figure(page, "Jobs in 24 hours").innerText()).toMatch(/1\s+1 failed, 0 unfinished/);
      const wrong = page.getByRole("region", { name: "What is wrong" });
      await wrong.getByText("the last reduce failed").waitFor();
      expect(await wrong.getByRole("link", { name: join(served.stage.root, "busy") }).count()).toBe(1);
      await figure(page, "Problems").getByRole("link", { name: "show" }).click();
      expect(await page.evaluate("document.activeElement.id")).toBe("wrong");
      const row = page
        .getByRole("region", { name: "Jobs per hour and host" })
        .locator("tr", { hasText: "hostb" });
      expect(await row.innerText()).toMatch(/0 completed, 1 failed/);
      const last = row.locator("svg g").last();
      expect(await last.locator("title").textContent()).toMatch(/: 0 completed, 1 failed, 0 cancelled$/);
      expect(Number(await last.locator("rect.failed").getAttribute("height"))).toBeGreaterThan(20);
      expect(offences).toEqual([]);
    });

    it("sort 500 areas by size, growth, gain, age and trouble, by the headings too, and the address keeps it", async () => {
      const { page, offences } = await browser.open(served.server.url, wide);
      await page.locator("#areas nav [role=status]", { hasText: `of ${manyAreas}` }).waitFor();
      await sorted(page, "size of megatest.db");
      await expect.poll(async () => (await names(page))[0], { timeout: 60_000 }).toBe("large");
      await sorted(page, "growth");
      await expect.poll(async () => (await names(page))[0], { timeout: 60_000 }).toBe("busy");
      await sorted(page, "gain of a reduce");
      expect((await names(page)).slice(0, 2)).toEqual(["large", "quiet"]);
      const gain = page.locator("#areas tbody tr").first().locator("td[data-label=gain]");
      expect(await gain.innerText()).toMatch(/^\d+ kB$/);
      await figure(page, "Areas").getByText(String(manyAreas), { exact: true }).waitFor({ timeout: 60_000 });
      await page.evaluate("scrollTo(0, 0)");
      await picture(page, "overview");
      await sorted(page, "oldest run");
      expect((await names(page)).slice(0, 3)).toEqual(["quiet", "large", "busy"]);
      await page.getByRole("button", { name: "Warnings: sort by trouble" }).focus();
      await page.keyboard.press("Enter");
      await expect.poll(async () => (await names(page))[0]).toBe("busy");
      expect(await page.locator("th[aria-sort=descending]").innerText()).toMatch(/Warnings/);
      await page.reload();
      await expect.poll(async () => (await names(page))[0], { timeout: 60_000 }).toBe("busy");
      expect(page.url()).toContain("sort=trouble");
      expect(offences).toEqual([]);
    });

    it("move nothing as they arrive, and all that the page reads is less than 300 kB each", async () => {
      const { page, offences } = await browser.open(served.server.url, wide);
      await page.addInitScript(`globalThis.shifts = [];
      new PerformanceObserver((list) => {
        for (const { value, sources } of list.getEntries())
          if (value > 0.01) shifts.push([value, ...sources.map(({ node }) => node?.outerHTML?.slice(0, 80))]);
      }).observe({ type: "layout-shift", buffered: true });`);
      const sizes: [string, number][] = [];
      page.on("response", async (response) => {
        if (response.url().includes("/api/v1/") && !response.url().endsWith("/events"))
          sizes.push([response.url(), (await response.body().catch(() => Buffer.alloc(0))).length]);
      });
      await page.reload();
      await figure(page, "Areas").getByText(String(manyAreas), { exact: true }).waitFor({ timeout: 60_000 });
      await page.locator("#areas tbody tr td[data-label=gain]").first().waitFor();
      await expect.poll(() => page.locator("main [aria-busy=true]").count(), { timeout: 60_000 }).toBe(0);
      await page
        .locator("#areas td[data-label=warnings]", { hasText: "checking" })
        .first()
        .waitFor({ state: "detached", timeout: 60_000 });
      expect(await page.evaluate("shifts")).toEqual([]);
      expect(sizes.length).toBeGreaterThan(4);
      expect(sizes.filter(([, size]) => size > 300_000)).toEqual([]);
      expect(await accessFaults(page)).toEqual([]);
      expect(offences).toEqual([]);
    });
  },
);

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, it } from "vitest";
import { buildArea } from "../../../../producers/demo/sample-area/build-area.ts";
import { openArea } from "../../../../shared/area/area.ts";
import { appendHistory } from "../../../../shared/area/history.ts";
import { accessFaults, testsAllPages, withBrowser, withServerStage } from "../../../support/queue.ts";

const wide = { viewport: { width: 1200, height: 1000 } };
const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
const day = 24 * 3_600_000;

describe.skipIf(!testsAllPages)("the page of an area (needs Chromium)", { timeout: 150_000 }, () => {
  const served = withServerStage();
  const browser = withBrowser();
  /** Its path is wider than a phone. */
  const once = "once-in-a-directory-of-a-long-name";
  const pathOf = (name: string) => join(served.stage.root, name);
  const addressOf = (name: string) =>
    `${served.server.url}/areas/by-path?${new URLSearchParams({ path: pathOf(name) })}`;

  beforeAll(() => {
    const options = { cacheRoot: "/nowhere", user: "ann", withCache: false, unsynced: false };
    for (const name of ["new", once, "often"])
      buildArea({ directory: pathOf(name), host: "hosta", runs: 40, testsPerRun: 5, ...options });
    appendHistory(openArea(pathOf(once)), reduce(Date.now() - 3 * day, "reduce-once"));
    for (let week = 10; week > 0; week--)
      appendHistory(openArea(pathOf("often")), reduce(Date.now() - week * 7 * day, `reduce-${week}`));
    appendHistory(openArea(pathOf("often")), {
      ...{
        at: new Date(Date.now() - day).toISOString(),
        jobId: "migrate-1",
        job: "migrate",
        kind: "migration",
      },
      ...{ state: "completed", outcome: "migrated", requestedBy: "ben@hostb" },
      ...{ from: "10.0.0.1", to: "10.0.0.2", fromHost: "hostz", toHost: "hosta" },
    });
    mkdirSync(join(pathOf("often"), ".mtjobs"), { recursive: true });
    writeFileSync(join(pathOf("often"), ".mtjobs", "pause"), "");
  });

  /** Notes what moves in the page, and by how much. */
  const recordShifts = `globalThis.shifts = [];
    new PerformanceObserver((list) => {
      for (const { value, sources } of list.getEntries())
        if (value > 0.01) shifts.push([value, ...sources.map(({ node }) => node?.outerHTML?.slice(0, 80))]);
    }).observe({ type: "layout-shift", buffered: true });`;

  const ready = async (page: Page) => {
    await page.locator(".sizes canvas").nth(1).waitFor();
    await page.locator(".gain canvas").waitFor();
    await expect.poll(() => page.locator("main [aria-busy=true]").count(), { timeout: 30_000 }).toBe(0);
  };
  /** What a plot's legend says at the middle of its width. */
  const legends = async (page: Page, part: number) => {
    const area = page.locator(".sizes .u-over").first();
    const box = await area.boundingBox();
    await area.hover({ position: { x: (box?.width ?? 0) * part, y: 40 } });
    return await page.locator(".sizes .u-legend").allInnerTexts();
  };

  it("shows bytes and runs from before the first job on, with one cursor in both plots", async () => {
    const { page, offences } = await browser.open(addressOf("often"), wide);
    await ready(page);
    const [first, last] = [await legends(page, 0.001), await legends(page, 0.999)];
    expect(first[0]).toMatch(/before reduce/);
    expect(first[0]).toMatch(/megatest\.db\s*:?\s*5\.00 MB/);
    expect(first[1]).toMatch(/before reduce/);
    expect(first[1]).toMatch(/runs in megatest\.db\s*:?\s*60/);
    expect(first[1]).toMatch(/runs in completed-runs\.db\s*:?\s*80/);
    expect(last[0]).toMatch(/now/);
    expect(last[1]).toMatch(/runs in megatest\.db\s*:?\s*40/);
    const lefts = await page
      .locator(".sizes .u-over")
      .evaluateAll((all) => all.map((each) => each.getBoundingClientRect().left));
    expect(lefts[0]).toBe(lefts[1]);
    expect(offences).toEqual([]);
  });

  it("keeps a day around a single moment, and draws an area that has had no job", async () => {
    for (const [name, count] of [
      ["new", 0],
      [once, 1],
    ] as const) {
      const { page, offences } = await browser.open(addressOf(name), wide);
      await ready(page);
      expect(await page.locator(".story li").count()).toBe(count);
      expect((await legends(page, 0.5)).join()).toMatch(/now|reduce/);
      expect(offences).toEqual([]);
    }
  });

  it("tells what a reduce would gain by age, as a curve and as a table with the same figures", async () => {
    const { page } = await browser.open(addressOf("new"), wide);
    await ready(page);
    await page
      .getByText(/Moving \d+ runs older than 30 days would make megatest\.db, now [\d.]+ [kM]B, about/)
      .waitFor();
    await page.getByText("As a table").click();
    const rows = await page.getByRole("table", { name: "Gain by age" }).locator("tbody tr").allInnerTexts();
    expect(rows[0]).toMatch(/^1 day\s+\d+\s+\d+\s+[\d.]+ kB$/);
    expect(rows.some((row) => row.startsWith("1 month"))).toBe(true);
    const cells = (row: string) => Number(row.split(/\s+/)[2]);
    expect(cells(rows[0] ?? "")).toBeGreaterThan(cells(rows.at(-1) ?? ""));
  });

  it("groups what the doctor says, with a command for what a user can do, and lists the homes", async () => {
    const { page, offences } = await browser.open(addressOf("often"), wide);
    await ready(page);
    await page.getByRole("heading", { name: /^Notes \(\d+\)$/ }).waitFor();
    const paused = page.locator(".findings li", { hasText: "jobs are paused by" });
    expect(await paused.locator("code").innerText()).toBe(`rm ${join(pathOf("often"), ".mtjobs", "pause")}`);
    await paused.getByRole("button", { name: "Copy the command for paused" }).click();
    await expect.poll(() => page.evaluate("String(getSelection())")).toContain("rm ");
    await page.getByText(/^\d+ checks passed$/).click();
    await page.getByText("tables and columns are as expected").first().waitFor();
    const homes = await page.locator(".homes li").allInnerTexts();
    expect(homes).toHaveLength(2);
    expect(homes[0]).toMatch(/migration from hostz to hosta:\s+migrated\s+ben@hostb/);
    expect(homes[1]).toMatch(/now at home on\s+hosta/);
    expect(offences).toEqual([]);
  });

  it("moves nothing as data arrives, and is legible on a phone in the dark with nothing that axe-core finds wrong", async () => {
    const { page, offences } = await browser.open(addressOf(once), { ...phone, colorScheme: "dark" });
    await page.addInitScript(recordShifts);
    await page.reload();
    await ready(page);
    await page.locator("#user").waitFor();
    expect(await accessFaults(page)).toEqual([]);
    expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBe(0);
    expect(await page.evaluate("shifts")).toEqual([]);
    expect(offences).toEqual([]);
  });
});

function reduce(at: number, jobId: string) {
  return {
    ...{ at: new Date(at).toISOString(), requestedBy: "ann@hosta", jobId, job: "reduce", state: "completed" },
    ...{ moved: { runs: 20 }, elapsedMs: 60_000 },
    bytes: {
      "megatest.db": { before: 5_000_000, after: 2_000_000 },
      "completed-runs.db": { before: 1_000_000, after: 4_000_000 },
    },
    sides: { "megatest.db": { runs: 40 }, "completed-runs.db": { runs: 100 } },
  };
}

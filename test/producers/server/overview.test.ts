import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, it } from "vitest";
import { buildArea, type SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { openArea } from "../../../shared/area/area.ts";
import { appendHistory } from "../../../shared/area/history.ts";
import { setDrained } from "../../../shared/queue/hosts.ts";
import { writeOutcome } from "../../../shared/queue/outcomes.ts";
import { waitFor } from "../../support/area.ts";
import { leaveMigration } from "../../support/hosts.ts";
import {
  picture,
  type Running,
  serverEnv,
  startCommand,
  testsAllPages,
  withBrowser,
  withServerStage,
} from "../../support/queue.ts";

const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
const manyAreas = 500;
/** Areas with records; the others are the smallest that count as areas. */
const real = ["adder", "alu", "bus", "cache", "clock", "decoder"];

// A browser, a server and workers on a busy machine: slow is no failure here.
describe.skipIf(!testsAllPages)("the overview page (needs Chromium)", { timeout: 150_000 }, () => {
  const served = withServerStage();
  const browser = withBrowser();
  const pathOf = (name: string) => join(served.stage.root, "chips", name);
  const row = (page: Page, name: string) => page.locator(`tr[data-area="${pathOf(name)}"]`);
  const textOf = async (page: Page, selector: string) => (await page.locator(selector).innerText()).trim();

  let onTheWay: SampleArea;

  beforeAll(() => {
    const { stage } = served;
    const now = Date.now();
    mkdirSync(join(stage.root, "chips"));
    for (const [index, name] of real.entries()) {
      const options = { cacheRoot: "/nowhere", user: "ann", withCache: false, unsynced: false };
      buildArea({ directory: pathOf(name), host: "hosta", runs: 6 + index, testsPerRun: 2, ...options });
      appendStory(pathOf(name), now);
    }
    const cached = { cacheRoot: join(stage.root, "caches"), user: "ann" };
    onTheWay = buildArea({ directory: pathOf("way"), host: "host-a", runs: 1, testsPerRun: 1, ...cached });
    for (let index = real.length; index < manyAreas - 1; index++)
      stage.area(`small-${index}`, `host${index % 3}`);
  });

  it("shows areas a page at a time with sizes, runs, jobs, locks and warnings, and finds one among 500", async () => {
    const { page, offences } = await browser.open(served.server.url, {
      viewport: { width: 1280, height: 900 },
    });
    const status = page.locator("#areas nav [role=status]");
    await status.filter({ hasText: `1 to 25 of ${manyAreas}` }).waitFor();
    expect(await page.locator("#areas tbody tr").count()).toBe(25);
    await page.getByRole("button", { name: "Next" }).click();
    await status.filter({ hasText: `26 to 50 of ${manyAreas}` }).waitFor();
    await page.getByRole("searchbox", { name: "Filter" }).fill("chips/");
    await status.filter({ hasText: `1 to ${real.length + 1} of ${real.length + 1}` }).waitFor();
    await row(page, "alu").getByText("reduce, 2 runs").waitFor();
    const cells = await row(page, "alu").locator("td").allInnerTexts();
    expect(cells.slice(0, 5)).toEqual(["hosta", expect.stringMatching(/^\d+ kB$/), "7", "–", "0"]);
    expect(cells[10]).toBe("free");
    await page
      .locator("#areas td[data-label=warnings]", { hasText: "checking" })
      .first()
      .waitFor({ state: "detached" });
    await page.getByLabel("Homehost").selectOption("host1");
    await status.filter({ hasText: "0 to 0 of 0" }).waitFor();
    await page.getByLabel("Homehost").selectOption("");
    expect(offences).toEqual([]);
  });

  it("draws sizes and runs over time, legible on a phone and in the dark", async () => {
    const { page, offences } = await browser.open(served.server.url, { ...phone, colorScheme: "dark" });
    await page.getByRole("searchbox", { name: "Filter" }).fill("chips/");
    await row(page, "bus").getByText("reduce, 2 runs").waitFor();
    const isWide = () => page.evaluate("document.documentElement.scrollWidth > innerWidth");
    expect(await isWide()).toBe(false);
    expect(await page.evaluate("getComputedStyle(document.body).colorScheme")).toContain("dark");
    expect(await page.evaluate("getComputedStyle(document.documentElement).backgroundColor")).toMatch(
      /^rgb\((\d|[1-4]\d), /,
    );
    await page.getByText(String(manyAreas), { exact: true }).first().waitFor({ timeout: 60_000 });
    await picture(page, "overview-phone");
    await row(page, "bus").getByRole("link", { name: "bus", exact: true }).tap();
    await page.locator(".sizes canvas").first().waitFor();
    expect(await page.locator(".story li").count()).toBe(10);
    expect(await isWide()).toBe(false);
    const painted =
      "[...document.querySelector('.sizes canvas').getContext('2d').getImageData(0, 0, 300, 200).data]";
    expect(await page.evaluate(`${painted}.some((value) => value > 0)`)).toBe(true);
    await picture(page, "area-phone");
    expect(offences).toEqual([]);
  });

  it("is used with the keyboard alone, and shows the same areas again when the user goes back", async () => {
    const { page, offences } = await browser.open(served.server.url);
    await page.getByText(`of ${manyAreas}`).waitFor();
    const focused = () => page.evaluate("document.activeElement.innerText || document.activeElement.type");
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("Skip to the content");
    await page.keyboard.press("Enter");
    for (let presses = 0; presses < 40 && (await focused()) !== "search"; presses++)
      await page.keyboard.press("Tab");
    await page.keyboard.type("chips/clo");
    await page.getByText("1 to 1 of 1").waitFor();
    // The headings sort, and the table itself may be scrolled, where it is wider than the window.
    for (let presses = 0; presses < 12 && (await focused()) !== "clock"; presses++)
      await page.keyboard.press("Tab");
    expect(await focused()).toBe("clock");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "clock" }).waitFor();
    await page.goBack();
    await page.getByText("1 to 1 of 1").waitFor();
    expect(await page.getByRole("searchbox", { name: "Filter" }).inputValue()).toBe("chips/clo");
    expect(offences).toEqual([]);
  });

  it("shows at once what a host's worker is at, and what waits", async () => {
    const { page, offences } = await browser.open(served.server.url);
    await page.locator("#live", { hasText: "live" }).waitFor();
    const { stage } = served;
    await stage.worker("hostb");
    const card = page.locator("article[data-host=hostb]");
    await card.getByText("worker alive").waitFor();
    const area = join(stage.root, `small-${real.length}`);
    stage.moveHome(area, "hostb");
    await stage.enqueue("hostb", area, "hold");
    await card.locator("progress").waitFor();
    await card.getByText(/hold, \d+ of \d+ runs/).waitFor();
    expect(await card.innerText()).toMatch(/reduce \S+small-6/);
    await stage.enqueue("hostb", area, "later");
    await card.getByText("1 waiting").waitFor();
    stage.release(area);
    await card.locator("progress").waitFor({ state: "detached" });
    expect(offences).toEqual([]);
  });

  it("shows failing schedules and policies, drained hosts, stop files and migrating areas", async () => {
    const { redis, prefix } = served.stage;
    const now = new Date().toISOString();
    await writeOutcome(redis, prefix, {
      ...{ kind: "policy", name: "old", area: pathOf("adder"), host: "hosta", jobId: "r1", work: "w" },
      ...{ startedAt: now, endedAt: now, error: { code: "disk-full", message: "no space" }, timeUp: null },
    });
    await setDrained(redis, prefix, "hostd", "ann@hosta");
    const cache = pathOf("cache");
    writeFileSync(join(cache, ".mtjobs", "pause"), "");
    appendFileSync(join(cache, "megatest.config"), "\n[reduce-records]\nold age=30d\n");
    leaveMigration(onTheWay, ["closed"], { held: true });
    const { page, offences } = await browser.open(served.server.url);
    await page
      .getByRole("alert")
      .getByText(/\[reduce-records\] old: its last job failed.*no space/)
      .waitFor();
    await page
      .locator("article[data-host=hostd]")
      .getByText("takes no new areas: drained by ann@hosta")
      .waitFor();
    await page.getByRole("searchbox", { name: "Filter" }).fill("chips/");
    await row(page, "adder").locator("td", { hasText: "its last job failed" }).waitFor();
    await row(page, "way").getByText("moves from host-a to host-b (closed)").waitFor();
    await row(page, "cache").getByText("paused by a stop file").waitFor();
    await row(page, "cache").getByRole("link", { name: "cache", exact: true }).click();
    await page.locator("dl.facts").waitFor();
    const facts = await page.locator("dl.facts").innerText();
    expect(facts).toContain("old: age=30d");
    expect(facts).toContain(join(cache, ".mtjobs", "pause"));
    expect(offences).toEqual([]);
  });

  it("enqueues a dry run, and only then the same in earnest, which shows in the table and the chart", async () => {
    const worker = await realWorker();
    const { page, offences } = await browser.open(served.server.url, {
      viewport: { width: 1100, height: 1300 },
    });
    await page.getByRole("searchbox", { name: "Filter" }).fill("chips/decoder");
    const before = Number(await (await ready(row(page, "decoder"), "runs")).innerText());
    await row(page, "decoder").getByRole("link", { name: "decoder", exact: true }).click();
    const form = page.getByRole("form", { name: "Start a job" });
    await form.getByRole("button", { name: "Try it" }).click();
    await form.getByText("fill in at least one of Target").waitFor();
    await form.getByLabel("Run name").fill("%");
    await form.getByRole("button", { name: "Try it" }).click();
    const earnest = form.getByRole("button", { name: /^Reduce \d+ runs now$/ });
    await earnest.waitFor();
    await picture(page, "area");
    const [, moved] = /Reduce (\d+) runs/.exec(await earnest.innerText()) ?? [];
    await form.getByLabel("Keep the newest").fill("0");
    await earnest.waitFor({ state: "detached" });
    await form.getByRole("button", { name: "Try it" }).click();
    await earnest.click();
    await form.getByText(`${moved} runs moved`).waitFor();
    await page.locator(".story li", { hasText: `reduce, ${moved} runs` }).waitFor();
    await page.goBack();
    await row(page, "decoder")
      .getByText(String(before - Number(moved)), { exact: true })
      .waitFor();
    expect(await textOf(page, "td[data-label='moved runs']")).toBe(moved);
    // Its first job gave the area an id, which is its address from the next list of areas on.
    const link = row(page, "decoder").getByRole("link", { name: "decoder", exact: true });
    await expect.poll(() => link.getAttribute("href"), { timeout: 45_000 }).toMatch(/^areas\/[0-9a-f-]{36}$/);
    await link.click();
    await page.reload();
    await page.getByRole("heading", { level: 1, name: "decoder" }).waitFor();
    await page
      .locator(".story")
      .getByRole("link", { name: `reduce, ${moved} runs` })
      .click();
    await page.locator("dl.facts").getByText("completed").waitFor();
    worker.child.kill("SIGTERM");
    expect((await worker.finished).code).toBe(0);
    expect(offences).toEqual([]);
  });

  /** The cell once it holds a figure. */
  async function ready(line: ReturnType<typeof row>, label: string) {
    const cell = line.locator(`td[data-label="${label}"]`).filter({ hasText: /^\d+$/ });
    await cell.waitFor();
    return cell;
  }

  async function realWorker(): Promise<Running> {
    const { root } = served.stage;
    const areas = { MTJOBS_CACHE_ROOT: root, MTJOBS_AREAS: join(root, "chips") };
    const env = { ...serverEnv(served.stage), ...areas };
    const worker = startCommand(["worker"], { env });
    await waitFor("the worker to serve", () => worker.stderr().includes("serving the queue"), {
      state: () => worker.stderr(),
    });
    return worker;
  }
});

/** Twenty jobs, one a week. */
function appendStory(path: string, now: number): void {
  const week = 7 * 24 * 60 * 60 * 1000;
  for (let index = 0; index < 20; index++) {
    const size = 3e6 + index * 4e5;
    appendHistory(openArea(path), {
      at: new Date(now - (20 - index) * week).toISOString(),
      requestedBy: "ann@hosta",
      jobId: `reduce-${index}`,
      job: "reduce",
      state: "completed",
      moved: { runs: 2 },
      bytes: {
        "megatest.db": { before: size, after: 2e6 + (index % 5) * 3e5 },
        "completed-runs.db": { before: size - 3e5, after: size },
      },
      // Those of earlier versions tell nothing of it.
      ...(index < 5
        ? {}
        : { sides: { "megatest.db": { runs: 12 + (index % 5) }, "completed-runs.db": { runs: 2 * index } } }),
    });
  }
}

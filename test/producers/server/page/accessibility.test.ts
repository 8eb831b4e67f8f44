import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { buildArea } from "../../../../producers/demo/sample-area/build-area.ts";
import { setDrained } from "../../../../shared/queue/hosts.ts";
import { writeOutcome } from "../../../../shared/queue/outcomes.ts";
import { isCampaign } from "../../../support/area.ts";
import { accessFaults, testsAllPages, withBrowser, withServerStage } from "../../../support/queue.ts";

const wide = { viewport: { width: 1280, height: 900 } };
const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

describe.skipIf(!testsAllPages)("each page (needs Chromium)", { timeout: 150_000 }, () => {
  const served = withServerStage();
  const browser = withBrowser();
  /** By the name that a test's title has. */
  const addresses: Record<string, string> = {
    overview: "",
    areas: "areas",
    jobs: "jobs",
    hosts: "hosts",
    host: "hosts/hosta",
    schedules: "schedules",
    search: "search?q=a",
    request: "request?job=restore&includeLocked=yes",
    missing: "areas/a/b",
  };

  beforeAll(async () => {
    const { stage } = served;
    const { redis, prefix } = stage;
    const directory = join(stage.root, "adder");
    const options = { cacheRoot: "/nowhere", user: "ann", withCache: false, unsynced: false };
    buildArea({ directory, host: "hosta", runs: 5, testsPerRun: 2, ...options });
    await stage.worker("hosta");
    const held = stage.area("held", "hosta");
    addresses.running = `jobs/${await stage.enqueue("hosta", held, "hold")}`;
    const failed = await stage.enqueue("hostb", stage.area("refused", "hostb"), "refuse");
    await stage.worker("hostb");
    await stage.reach("hostb", failed, "failed");
    addresses.failed = `jobs/${failed}`;
    const at = (rest: string, query = {}) =>
      `areas/by-path${rest}?${new URLSearchParams({ path: directory, ...query })}`;
    addresses.area = at("");
    addresses.runs = at("/runs");
    addresses.run = at("/runs/1", { test: "1" });
    addresses.sql = at("/sql", { sql: "SELECT * FROM runs" });
    await stage.enqueue("hosta", directory, "later");
    await setDrained(redis, prefix, "hostb", "ann@hosta");
    const now = new Date().toISOString();
    await writeOutcome(redis, prefix, {
      ...{ kind: "policy", name: "old", area: directory, host: "hosta", jobId: "r1", work: "w" },
      ...{ startedAt: now, endedAt: now, error: { code: "disk-full", message: "no space" }, timeUp: null },
    });
  });

  const pages = [
    "overview",
    "areas",
    "area",
    "runs",
    "run",
    "sql",
    "jobs",
    "running",
    "failed",
    "hosts",
    "host",
  ];
  const all = [...pages, "schedules", "search", "request", "missing"];
  const looks = [
    [wide, "light"],
    [phone, "dark"],
  ] as const;
  it.each(all.map((name, index) => ({ name, index })))(
    "has nothing that axe-core finds wrong, on a wide screen in light or on a phone in dark: $name",
    async ({ name, index }) => {
      const url = `${served.server.url}/${addresses[name]}`;
      // Both for each page in the campaign.
      for (const [options, colorScheme] of isCampaign ? looks : looks.slice(index % 2).slice(0, 1)) {
        const { page, offences } = await browser.open(url, { ...options, colorScheme });
        await page.locator("#live", { hasText: "live" }).waitFor();
        await page.locator("#user").waitFor();
        await expect.poll(() => page.locator("main [aria-busy=true]").count(), { timeout: 20_000 }).toBe(0);
        expect([name, colorScheme, await accessFaults(page)]).toEqual([name, colorScheme, []]);
        const width = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
        expect([name, options.viewport.width, width]).toEqual([name, options.viewport.width, 0]);
        expect(offences).toEqual([]);
        await page.close();
      }
    },
  );

  it("lets the user select runs, open a test and run SQL with the keyboard alone", async () => {
    const { page, offences } = await browser.open(`${served.server.url}/${addresses.runs}`, wide);
    await page.locator("#user").waitFor();
    await page.locator("tr[data-run]").first().waitFor();
    const focused = () =>
      page.evaluate("document.activeElement.ariaLabel || document.activeElement.innerText");
    const tabTo = async (text: RegExp) => {
      for (let presses = 0; presses < 60 && !text.test(String(await focused())); presses++)
        await page.keyboard.press("Tab");
      expect(await focused()).toMatch(text);
    };
    await tabTo(/^Select all runs on this page$/);
    await page.keyboard.press("Space");
    await page.getByText("5 runs selected").waitFor();
    expect(await accessFaults(page)).toEqual([]);
    await tabTo(/^Select \S+, run 1$/);
    await page.keyboard.press("Space");
    await page.getByText("4 runs selected").waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 2, name: "2 tests" }).waitFor();
    await page.locator("tr[data-test]").first().waitFor();
    const name = await page.locator("tr[data-test] button").first().innerText();
    await tabTo(new RegExp(`^${name}$`));
    await page.keyboard.press("Enter");
    await page.getByRole("table", { name: "Steps" }).waitFor();
    expect(await accessFaults(page)).toEqual([]);
    await tabTo(/^SQL$/);
    await page.keyboard.press("Enter");
    await page.getByRole("form", { name: "Query" }).waitFor();
    for (let presses = 0; presses < 20; presses++) {
      await page.keyboard.press("Tab");
      if ((await page.evaluate("document.activeElement.name")) === "sql") break;
    }
    await page.keyboard.press("Control+Enter");
    await page.getByRole("table", { name: "Result" }).waitFor();
    expect(await accessFaults(page)).toEqual([]);
    expect(offences).toEqual([]);
  });

  it("is reached, filtered and acted on with the keyboard alone", async () => {
    const { page, offences } = await browser.open(`${served.server.url}/${addresses.overview}`, wide);
    await page.locator("#user").waitFor();
    const focused = () =>
      page.evaluate("document.activeElement.innerText || document.activeElement.ariaLabel");
    const tabTo = async (text: string) => {
      for (let presses = 0; presses < 40 && (await focused()) !== text; presses++)
        await page.keyboard.press("Tab");
      expect(await focused()).toBe(text);
    };
    await tabTo("Jobs");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "Jobs" }).waitFor();
    expect(await page.evaluate("document.activeElement.id")).toBe("main");
    await tabTo("Requested by");
    await page.keyboard.type("no such user");
    await page.getByText("none", { exact: true }).waitFor();
    for (let letters = "no such user".length; letters > 0; letters--) await page.keyboard.press("Backspace");
    await page.locator("tr[data-job]").first().waitFor();
    await page.goto(`${served.server.url}/${addresses.running}`);
    await page.getByRole("button", { name: "Cancel" }).waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await tabTo("Cancel");
    await page.keyboard.press("Enter");
    expect(await focused()).toBe("Leave it");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(await focused()).toBe("Cancel");
    expect(offences).toEqual([]);
  });
});

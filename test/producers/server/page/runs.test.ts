import { join } from "node:path";
import Database from "better-sqlite3";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, it } from "vitest";
import type { SampleArea } from "../../../../producers/demo/sample-area/build-area.ts";
import { openArea } from "../../../../shared/area/area.ts";
import { ensureAreaId } from "../../../../shared/area/area-id.ts";
import { edit } from "../../../support/area.ts";
import {
  picture,
  realArea,
  realWorker,
  testsAllPages,
  withBrowser,
  withServerStage,
} from "../../../support/queue.ts";

/** For a busy machine. */
const patient = { timeout: 20_000 };
const wide = { viewport: { width: 1280, height: 900 } };

describe.skipIf(!testsAllPages)("the pages of runs (need Chromium)", { timeout: 150_000 }, () => {
  const served = withServerStage();
  const browser = withBrowser();
  let area: SampleArea;
  let areaId = "";

  beforeAll(async () => {
    const { stage } = served;
    area = realArea(stage, { runs: 12, testsPerRun: 4, inFlight: 0, withCache: false, unsynced: false });
    edit(area, ["area"], (db) =>
      db.exec(`UPDATE runs SET runname = 'w' || id, sysname = 'ub' || (id % 2), event_time = ${area.now} - id * 86400;
        UPDATE tests SET state = 'COMPLETED', status = 'PASS';
        UPDATE tests SET status = 'FAIL', comment = 'carry lost' WHERE id = (SELECT min(id) FROM tests WHERE run_id = 3);
        UPDATE test_steps SET status = '2' WHERE stepname = 'simulate' AND state = 'end'`),
    );
    areaId = ensureAreaId(openArea(area.directory));
    await realWorker(stage, area);
  });

  const address = (rest: string, query: Record<string, string> = {}) =>
    `${served.server.url}/areas/by-path${rest}?${new URLSearchParams({ path: area.directory, ...query })}`;
  const rows = (page: Page) => page.locator("tr[data-run]");
  const names = async (page: Page) => await rows(page).locator("th a").allInnerTexts();
  const select = async (page: Page, ...ids: number[]) => {
    for (const id of ids) await page.getByRole("checkbox", { name: `Select w${id}, run ${id}` }).check();
  };
  const completedIds = () => {
    const db = new Database(join(area.directory, "completed-runs.db"), { readonly: true });
    try {
      return db.prepare("SELECT id FROM runs ORDER BY id").pluck().all();
    } finally {
      db.close();
    }
  };

  it("have addresses by the area's id, which links lead to", async () => {
    const { page, offences } = await browser.open(`${served.server.url}/areas/${areaId}/runs`, wide);
    const main = page.getByRole("main");
    await main.getByRole("link", { name: "w4", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: "w4" }).waitFor();
    const pathOf = () => new URL(page.url()).pathname;
    expect(pathOf()).toBe(`/areas/${areaId}/runs/4`);
    expect(await page.title()).toMatch(/\/w4 – mtjobs$/);
    await page.reload();
    await main.getByRole("link", { name: "Query its tests with SQL" }).click();
    await page.getByRole("form", { name: "Query" }).waitFor();
    expect(pathOf()).toBe(`/areas/${areaId}/sql`);
    await page.reload();
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.getByText("4 rows from megatest.db").waitFor();
    await page.goto(`${served.server.url}/areas/${areaId}/runs/99`);
    await page
      .getByRole("alert")
      .getByText(/no run 99|99/)
      .waitFor();
    expect(offences.filter((each) => !each.includes("404"))).toEqual([]);
  });

  it("list and filter runs by what the address says, which works after a reload, back and as a link", async () => {
    const { page, offences } = await browser.open(address("/runs"), wide);
    await page.getByText("12 runs: 12 in megatest.db, 0 in completed-runs.db").waitFor();
    expect(await names(page)).toEqual(Array.from({ length: 12 }, (_, index) => `w${index + 1}`));
    await page.getByLabel("Run name").fill("w1%");
    await expect.poll(() => names(page), patient).toEqual(["w1", "w10", "w11", "w12"]);
    await page.getByLabel("Older than").fill("11d");
    await expect.poll(() => names(page), patient).toEqual(["w11", "w12"]);
    await page.reload();
    await expect.poll(() => names(page), patient).toEqual(["w11", "w12"]);
    expect(await page.getByLabel("Older than").inputValue()).toBe("11d");
    await page.getByLabel("Target").fill("ub0/%");
    await expect.poll(() => names(page), patient).toEqual(["w12"]);
    await rows(page).getByRole("link", { name: "w12" }).click();
    await page.getByRole("heading", { level: 1, name: "w12" }).waitFor();
    await page.goBack();
    await expect.poll(() => names(page), patient).toEqual(["w12"]);
    await page.getByLabel("Lives in").selectOption("completed-runs.db");
    await page.getByText("No run matches.").waitFor();
    await page.goBack();
    await expect.poll(() => names(page), patient).toEqual(["w12"]);
    await page.getByLabel("Older than").fill("yesterday");
    await page.getByRole("alert").getByText("neither seconds since 1970 nor a duration").waitFor();
    // A browser itself notes the refusal.
    expect(offences.filter((each) => !each.includes("400"))).toEqual([]);
  });

  it("show a run's tests by state, with directories, and steps and data in place", async () => {
    const { page, offences } = await browser.open(address("/runs/3"), wide);
    await page.getByRole("heading", { level: 2, name: "4 tests" }).waitFor();
    const facts = await page.locator("dl.facts").innerText();
    for (const fact of ["megatest.db", "ub1"]) expect(facts).toContain(fact);
    const states = page.getByLabel("Tests by state and status").getByRole("button");
    expect(await states.allInnerTexts()).toEqual(["✓ COMPLETED PASS 3", "✗ COMPLETED FAIL 1"]);
    await states.filter({ hasText: "FAIL" }).click();
    const tests = page.locator("tr[data-test]");
    await expect.poll(() => tests.count(), patient).toBe(1);
    expect(await tests.innerText()).toMatch(/✗ COMPLETED FAIL.*carry lost/s);
    expect(new URL(page.url()).searchParams.get("status")).toBe("FAIL");
    await tests.getByRole("button").click();
    const opened = page.locator("tr.opened");
    await opened.getByRole("table", { name: "Steps" }).waitFor();
    expect(await opened.locator("dl.facts").innerText()).toMatch(
      /directory\s+\/.*log\s+\/\S+\/logs\/final\.log/s,
    );
    // One line for the start and the end of a step; the last one of a failed test failed.
    const steps = await opened.getByRole("table", { name: "Steps" }).locator("tbody tr").allInnerTexts();
    expect(steps).toEqual([
      expect.stringMatching(
        /^setup\s+✓ end 0\s+20\d\d-\d\d-\d\d \d\d:\d\d:\d\d .* ago\s+1\.0 s\s+setup\.log/,
      ),
      expect.stringMatching(/^compile\s+✓ end 0/),
      expect.stringMatching(/^simulate\s+✗ end 2/),
    ]);
    expect(await opened.getByRole("table", { name: "Data" }).locator("tbody tr").count()).toBe(5);
    await page.reload();
    await opened.getByRole("table", { name: "Data" }).waitFor();
    // A link to a test leads to it.
    await expect
      .poll(() => tests.evaluate((row) => Math.abs(row.getBoundingClientRect().top) < 200), patient)
      .toBe(true);
    await picture(page, "run");
    await tests.getByRole("button", { expanded: true }).click();
    await opened.waitFor({ state: "detached" });
    await page.goBack();
    await opened.getByRole("table", { name: "Data" }).waitFor();
    await states.filter({ hasText: "FAIL" }).click();
    await expect.poll(() => tests.count(), patient).toBe(4);
    expect(offences).toEqual([]);
  });

  it("move the runs that the user selects: a dry run, a reduce, and a restore, each with its command", async () => {
    const { page, offences } = await browser.open(address("/runs"), wide);
    await select(page, 5, 6);
    await page.getByLabel("Run name").fill("w7");
    await expect.poll(() => names(page), patient).toEqual(["w7"]);
    await page.getByRole("checkbox", { name: "Select all runs on this page" }).check();
    const selected = page.getByRole("region", { name: "Selected runs" });
    await selected.getByText("3 runs selected").waitFor();
    await selected.getByText(`mtjobs reduce ${area.directory} --run-id 5,6,7`, { exact: true }).waitFor();
    await selected.getByRole("button", { name: "Try to reduce 3 runs (dry run)" }).click();
    await selected.getByText("3 runs would be moved").waitFor();
    await page.getByLabel("Run name").fill("");
    await expect.poll(() => names(page), patient).toHaveLength(12);
    await picture(page, "runs");
    await selected.getByRole("button", { name: "Reduce 3 runs now" }).click();
    await selected.getByText("3 runs moved").waitFor();
    await selected.getByText("0 runs selected").waitFor();
    expect(completedIds()).toEqual([5, 6, 7]);
    await page.getByText("12 runs: 9 in megatest.db, 3 in completed-runs.db").waitFor();
    await page.getByLabel("Lives in").selectOption("completed-runs.db");
    await expect.poll(() => names(page), patient).toEqual(["w5", "w6", "w7"]);
    await select(page, 5, 7);
    await page.getByLabel("Lives in").selectOption("");
    await select(page, 8);
    await selected.getByRole("button", { name: "Try to restore 2 runs (dry run)" }).click();
    await selected.getByRole("button", { name: "Restore 2 runs now" }).click();
    await selected.getByText("2 runs restored").waitFor({ timeout: 60_000 });
    await selected.getByText("1 run selected").waitFor();
    expect(completedIds()).toEqual([6]);
    await selected.getByRole("link", { name: "Show the job" }).click();
    await page.getByRole("list", { name: "Runs" }).getByRole("link", { name: /w7$/ }).click();
    await page.getByRole("heading", { level: 1, name: "w7" }).waitFor();
    await page.getByRole("button", { name: "Try to reduce 1 run (dry run)" }).click();
    await page.getByRole("button", { name: "Reduce 1 run now" }).click();
    await page.locator("dl.facts").getByText("completed-runs.db").waitFor();
    await page.getByText("1 run moved").waitFor();
    await page.getByRole("button", { name: "Try to restore 1 run (dry run)" }).waitFor();
    expect(completedIds()).toEqual([6, 7]);
    await page.goBack();
    await page.goBack();
    await selected.getByText("1 run selected").waitFor();
    expect(offences).toEqual([]);
  });
});

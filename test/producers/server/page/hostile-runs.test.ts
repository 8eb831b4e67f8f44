import { join } from "node:path";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, it } from "vitest";
import { buildArea, type SampleArea } from "../../../../producers/demo/sample-area/build-area.ts";
import { edit } from "../../../support/area.ts";
import { accessFaults, testsAllPages, withBrowser, withServerStage } from "../../../support/queue.ts";

const wide = { viewport: { width: 1280, height: 900 } };
const phone = { viewport: { width: 390, height: 844 }, isMobile: true };
const markup = `"><img src=x onerror=alert(1)><script>alert(2)</script>&amp;'`;
const controls = "a\u001b[31mb\u202ec\u0007";
const visible = "a\\u001b[31mb\\u202ec\\u0007";
const long = "<i>x".repeat(1000);
const far = 2n ** 62n;

describe.skipIf(!testsAllPages)(
  "runs of every kind on the page (need Chromium)",
  { timeout: 150_000 },
  () => {
    const served = withServerStage();
    const browser = withBrowser();

    const newArea = (name: string): SampleArea =>
      buildArea({
        ...{ directory: join(served.stage.root, name), cacheRoot: join(served.stage.root, "cache") },
        ...{ host: "hostz", user: "ann", runs: 1, testsPerRun: 1, withCache: false, unsynced: false },
      });
    const addressOf = ({ directory }: SampleArea, rest: string, query: Record<string, string> = {}) =>
      `${served.server.url}/areas/by-path${rest}?${new URLSearchParams({ path: directory, ...query })}`;

    let area: SampleArea;

    beforeAll(() => {
      area = newArea(`<img src=x>'${controls}`);
      edit(area, ["area"], (db) => {
        db.exec("DELETE FROM runs; DELETE FROM tests; DELETE FROM test_steps; DELETE FROM test_data");
        const run = db.prepare(
          "INSERT INTO runs (id, sysname, fsname, runname, state, status, owner, comment, event_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        );
        const test = db.prepare(
          "INSERT INTO tests (run_id, testname, item_path, state, status, host, comment, rundir, shortdir, uname) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        );
        for (const [index, text] of [markup, controls, long].entries()) {
          const id = index === 2 ? far : BigInt(index + 1);
          run.run(id, text, text, text, text, text, text, text, 9 - index);
          test.run(id, text, text, text, text, text, text, `/${text}`, text, text);
        }
        db.exec(`INSERT INTO runs (id, runname, event_time) VALUES (9, '', NULL);
        INSERT INTO test_steps (test_id, stepname, state, status, comment, logfile)
          SELECT id, testname, testname, testname, testname, testname FROM tests;
        INSERT INTO test_data (test_id, category, variable, value, expected, tol, units, comment, status)
          SELECT id, testname, testname, testname, testname, 1.5, testname, testname, testname FROM tests`);
      });
    });

    /** Opens a page, and checks that nothing of the area became part of it. */
    async function opened(url: string, options: object): Promise<Page> {
      const { page, offences } = await browser.open(url, options);
      page.on("dialog", (dialog) => offences.push(dialog.message()));
      await page.locator("#user").waitFor();
      await expect.poll(() => page.locator("main [aria-busy=true]").count(), { timeout: 20_000 }).toBe(0);
      await check(page);
      expect(offences).toEqual([]);
      return page;
    }

    async function check(page: Page): Promise<void> {
      expect(await page.locator("main :is(img, script, i, b)").count()).toBe(0);
      const width = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
      expect([page.url().slice(0, 80), width]).toEqual([page.url().slice(0, 80), 0]);
      const text = await page.locator("main").innerText();
      // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be left
      expect(/[\u0000-\u0008\u000b-\u001f\u202e]/.test(text)).toBe(false);
      expect(await accessFaults(page)).toEqual([]);
    }

    it.each([
      ["a wide screen", wide],
      ["a phone", phone],
    ])(
      "are shown as text, in the list, with their tests and as rows of a query: on %s",
      async (_, options) => {
        const list = await opened(addressOf(area, "/runs"), options);
        const names = await list.locator("tr[data-run] th a").allInnerTexts();
        expect(names.slice(0, 2)).toEqual([markup, visible]);
        expect(names.at(-1)).toBe("(no name)");
        for (const box of await list.getByRole("checkbox", { name: /^Select .* run/ }).all())
          await box.check();
        await list.getByText("4 runs selected").waitFor();
        await check(list);
        for (const [id, text] of [
          ["1", markup],
          ["2", visible],
          [String(far), long],
        ] as const) {
          const page = await opened(addressOf(area, `/runs/${id}`), options);
          await page.getByRole("heading", { level: 1, name: text, exact: true }).waitFor();
          await page.locator("tr[data-test] button").click();
          await page.getByRole("table", { name: "Data" }).waitFor();
          expect(await page.getByRole("table", { name: "Steps" }).innerText()).toContain(text.slice(0, 900));
          await check(page);
          await page.close();
        }
        const sql = "SELECT id, runname, comment FROM runs ORDER BY event_time DESC";
        const page = await opened(addressOf(area, "/sql", { sql }), options);
        await page.getByRole("button", { name: "Run", exact: true }).click();
        const result = page.getByRole("table", { name: "Result" });
        await result.waitFor();
        expect(await result.locator("tbody tr").nth(1).innerText()).toContain(visible);
        await check(page);
        const command = page.locator(".command");
        await page.getByText("On the command line").click();
        expect(await command.innerText()).toContain(
          String.raw`mtjobs query $'${area.directory.split("<")[0]}<img src=x>\'a\U0000001b[31mb\U0000202ec\U00000007' --full-db`,
        );
      },
    );

    it("are paged in answers under 300 kB, of which the first needs no other, if there are 100,000", async () => {
      const large = newArea("large");
      edit(large, ["area"], (db) =>
        db.exec(`WITH RECURSIVE n(i) AS (VALUES (10) UNION ALL SELECT i + 1 FROM n WHERE i < 100009)
        INSERT INTO runs (id, sysname, fsname, datapath, runname, state, event_time)
          SELECT i, 'ubuntu', 'nfs', 'v' || (i % 7), 'w' || i, 'new', 1000000 + i FROM n;
        WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        INSERT INTO tests (run_id, testname, item_path, state, status)
          SELECT 10, 'test' || i, '', 'COMPLETED', iif(i % 100 = 0, 'FAIL', 'PASS') FROM n`),
      );
      const { page, offences } = await browser.open(`${served.server.url}/jobs`, wide);
      const sizes: number[] = [];
      page.on("response", (response) => {
        if (response.url().includes("/api/v1/areas"))
          sizes.push(Number(response.headers()["content-length"] ?? Number.NaN));
      });
      await page.goto(addressOf(large, "/runs"));
      await page.locator("tr[data-run]").nth(49).waitFor();
      await page.getByText("100,001 runs: 100,001 in megatest.db").waitFor();
      const first = await page.locator("tr[data-run] th a").allInnerTexts();
      await page.getByRole("button", { name: "Older" }).click();
      await page.getByRole("link", { name: "w99960", exact: true }).waitFor();
      expect(new Set([...first, ...(await page.locator("tr[data-run] th a").allInnerTexts())]).size).toBe(
        100,
      );
      await page.reload();
      await page.getByRole("link", { name: "w99960", exact: true }).waitFor();
      await page.getByRole("button", { name: "Newest" }).click();
      await page.getByRole("link", { name: first[0] ?? "", exact: true }).waitFor();
      await page.getByLabel("Run name").fill("w10");
      await page.getByRole("link", { name: "w10", exact: true }).click();
      await page.getByRole("heading", { level: 2, name: "20,000 tests" }).waitFor();
      await page.getByRole("button", { name: "COMPLETED FAIL 200" }).click();
      await page.locator("tr[data-test]", { hasText: "test10000" }).waitFor();
      await page.getByRole("button", { name: "Next" }).click();
      await page.locator("tr[data-test]", { hasText: "test20000" }).waitFor();
      expect([sizes.length > 5, Math.max(...sizes) < 300_000]).toEqual([true, true]);
      expect(offences).toEqual([]);
    });
  },
);

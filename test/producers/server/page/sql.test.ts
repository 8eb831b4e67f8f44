import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, it } from "vitest";
import { buildArea, type SampleArea } from "../../../../producers/demo/sample-area/build-area.ts";
import { edit } from "../../../support/area.ts";
import { runReduce, testsAllPages, withBrowser, withServerStage } from "../../../support/queue.ts";

const endless =
  "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n, runs";

describe.skipIf(!testsAllPages)("the page for SQL (needs Chromium)", { timeout: 150_000 }, () => {
  const served = withServerStage();
  const browser = withBrowser();
  let area: SampleArea;

  beforeAll(async () => {
    area = buildArea({
      ...{
        directory: join(served.stage.root, "a1"),
        cacheRoot: join(served.stage.root, "cache"),
        user: "ann",
      },
      ...{ host: "hostz", runs: 5, testsPerRun: 3, withCache: false, unsynced: false, inFlight: 0 },
    });
    edit(area, ["area"], (db) => db.exec("UPDATE runs SET runname = 'w' || id"));
    await runReduce(area, { runId: [2, 3] });
  });

  const open = (query: Record<string, string> = {}) =>
    browser.open(
      `${served.server.url}/areas/by-path/sql?${new URLSearchParams({ path: area.directory, ...query })}`,
    );
  const sqlOf = (page: Page) => page.getByLabel("SQL", { exact: true });
  const run = async (page: Page, sql: string) => {
    await sqlOf(page).fill(sql);
    await page.getByRole("button", { name: "Run", exact: true }).click();
  };
  const rows = async (page: Page) =>
    await page.getByRole("table", { name: "Result" }).locator("tbody tr").allInnerTexts();

  it("shows rows of both databases, aligned by type, with NULL, blobs and cut values told apart", async () => {
    const { page, offences } = await open();
    await run(page, "SELECT id, runname, NULL AS empty, X'00ff' AS bytes FROM runs ORDER BY id");
    await page.getByText("5 rows from megatest.db and completed-runs.db").waitFor();
    expect((await rows(page))[1]).toBe("2\tw2\tNULL\tx'00ff'");
    const table = page.getByRole("table", { name: "Result" });
    const align = (column: number) =>
      page.evaluate(
        `getComputedStyle(document.querySelector("tbody tr:first-child td:nth-child(${column})")).textAlign`,
      );
    expect([await align(1), await align(2)]).toEqual(["right", "start"]);
    await page.getByLabel("Databases").selectOption("megatest");
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.getByText(/rows from megatest\.db$/).waitFor();
    expect((await rows(page)).filter((row) => /\tw\d/.test(row))).toHaveLength(3);
    await run(page, "SELECT 1 AS a, hex(zeroblob(9000)) AS long, 9223372036854775807 AS far");
    await page.getByText("1 row from megatest.db; 1 value is cut, because long").waitFor();
    expect(await table.locator("td", { has: page.locator("mark") }).count()).toBe(1);
    expect(await align(3)).toBe("right");
    await page.getByLabel("Row limit").selectOption("100");
    await run(page, "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT i FROM n");
    await page.getByText("100 rows from megatest.db; there are more rows than are shown").waitFor();
    expect(offences).toEqual([]);
  });

  it("keeps the SQL in its address, for back, reload and links, and runs none without being asked", async () => {
    const { page, offences } = await open();
    let queries = 0;
    page.on("request", (request) => {
      if (request.method() === "POST") queries++;
    });
    await run(page, "SELECT 1 AS first");
    await page.getByRole("columnheader", { name: "first" }).waitFor();
    await sqlOf(page).fill("SELECT 2 AS second");
    await sqlOf(page).press("Control+Enter");
    await page.getByRole("columnheader", { name: "second" }).waitFor();
    await page.goBack();
    await expect.poll(() => sqlOf(page).inputValue()).toBe("SELECT 1 AS first");
    await page.getByText("of an earlier query: SELECT 2 AS second").waitFor();
    await page.reload();
    await sqlOf(page).waitFor();
    expect(await sqlOf(page).inputValue()).toBe("SELECT 1 AS first");
    await page.getByRole("link", { name: "Tests by status" }).click();
    await expect.poll(() => sqlOf(page).inputValue()).toContain("GROUP BY state, status");
    expect(queries).toBe(2);
    await page.getByRole("link", { name: "Runs of this area" }).click();
    await page.locator("tr[data-run='3']").getByRole("link", { name: "SQL" }).click();
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.getByText("3 rows from").waitFor();
    const long = `SELECT '${"é".repeat(3000)}' AS long`;
    await run(page, long);
    await page.getByText("too long for the address").waitFor();
    expect(new URL(page.url()).searchParams.has("sql")).toBe(false);
    expect(await sqlOf(page).inputValue()).toBe(long);
    expect(offences).toEqual([]);
  });

  it("shows errors beside the text, and stops a query after its time, or when the user says so", async () => {
    const { page, offences } = await open({ timeout: "5s" });
    const alert = page.locator("#sql-trouble");
    for (const [sql, text] of [
      ["DELETE FROM runs", /read-only|only reads/],
      ["SELECT nonsense", /no such column: nonsense/],
      [endless, /longer than 5 s/],
    ] as const) {
      await run(page, sql);
      await alert.getByText(text).waitFor();
      expect(await sqlOf(page).getAttribute("aria-invalid")).toBe("true");
    }
    await page.getByLabel("Time limit").selectOption("30s");
    await run(page, endless);
    await page.getByText("Running…").waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await alert.getByText("stopped", { exact: true }).waitFor();
    await run(page, "SELECT 7 AS n");
    await expect.poll(() => rows(page)).toEqual(["7"]);
    expect(await alert.innerText()).toBe("");
    // A browser itself notes the refusals.
    expect(offences.filter((each) => !/400|504/.test(each))).toEqual([]);
  });

  it("saves rows as CSV, and says if they are not all", async () => {
    const { page, offences } = await open({ sql: "SELECT id, runname FROM runs ORDER BY id", rows: "2" });
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Download as CSV" }).click(),
    ]);
    expect(download.suggestedFilename()).toBe("query.csv");
    expect(readFileSync(await download.path(), "utf8")).toBe("id,runname\n1,w1\n2,w2\n");
    await page.getByText("The file was downloaded; it has not all rows").waitFor();
    expect(offences).toEqual([]);
  });
});

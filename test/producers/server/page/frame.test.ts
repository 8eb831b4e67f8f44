import { join } from "node:path";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, it } from "vitest";
import { buildArea } from "../../../../producers/demo/sample-area/build-area.ts";
import { hasBrowser, withBrowser, withServerStage } from "../../../support/queue.ts";

const token = "a long enough token";
const base = "/farm/jobs";
const bearer = { authorization: `Bearer ${token}` };

describe.skipIf(!hasBrowser)("the page's frame (needs Chromium)", { timeout: 150_000 }, () => {
  const served = withServerStage({ env: { MTJOBS_TOKEN: token, MTJOBS_BASE_PATH: base } });
  const browser = withBrowser();
  const login = { httpCredentials: { username: "ann", password: token } };
  const open = (path: string, options = {}) =>
    browser.open(`${served.server.url}${base}/${path}`, { ...login, ...options });
  const heading = async (page: Page, name: string | RegExp) =>
    await page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
  const pathOf = (page: Page) => page.url().slice(`${served.server.url}${base}/`.length);

  let area = "";
  let jobId = "";

  beforeAll(async () => {
    const { stage } = served;
    area = stage.area("adder", "hosta");
    const options = { cacheRoot: "/nowhere", user: "ann", withCache: false, unsynced: false };
    buildArea({ directory: join(stage.root, "bus"), host: "hosta", runs: 3, testsPerRun: 1, ...options });
    jobId = await stage.enqueue("hosta", area, "later");
    await stage.add("hostb", "reduce", { v: 1, area, requestedBy: "bob@hostb" });
  });

  it("has an address for everything, which works as a link, after a reload, back and forward", async () => {
    const { page, offences } = await open("");
    await heading(page, "Megatest areas");
    const pages = page.getByRole("navigation", { name: "Pages", exact: true });
    for (const name of ["Areas", "Jobs", "Hosts", "Schedules"]) {
      await pages.getByRole("link", { name }).click();
      await heading(page, name);
      expect(pathOf(page)).toBe(name.toLowerCase());
      expect(await page.title()).toBe(`${name} – mtjobs`);
      expect(await pages.locator("[aria-current=page]").allInnerTexts()).toEqual([name]);
      await page.reload();
      await heading(page, name);
    }
    await page.goBack();
    await heading(page, "Hosts");
    await page.getByRole("link", { name: "hostb" }).click();
    await heading(page, "hostb");
    expect(pathOf(page)).toBe("hosts/hostb");
    await page.goBack();
    await page.goForward();
    await heading(page, "hostb");
    await page
      .getByRole("table", { name: "Recent jobs" })
      .getByRole("link", { name: "reduce", exact: true })
      .click();
    await heading(page, "1");
    expect(pathOf(page)).toBe("jobs/1?host=hostb");
    await page.locator("dl.facts").getByRole("link", { name: area }).click();
    await heading(page, "adder");
    await page.getByRole("link", { name: "All jobs of this area" }).click();
    await page.getByRole("row", { name: jobId }).waitFor();
    expect(offences).toEqual([]);
  });

  it.each([
    ["areas", "Areas"],
    ["jobs/", "Jobs"],
    ["hosts/hosta", "hosta"],
    ["search?q=add", "Search: add"],
    ["areas/9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d", "Area"],
    ["hosts/unknown", "unknown"],
    ["jobs/reduce-unknown", "reduce-unknown"],
    ["areas/a/b/c", "No such page"],
    ["hosts/%3Cb%3E%2F..%2F%25", "<b>/../%"],
  ])("shows %s to a user who enters it, with the login that the browser asks for", async (path, title) => {
    const { page } = await open(path);
    await heading(page, title);
    await page.locator("#live", { hasText: "live" }).waitFor();
    expect(await page.locator("#user").innerText()).toMatch(/^ann@\S+ admin$/);
  });

  it("keeps to itself without a token, and forbids scripts of others on each of its pages", async () => {
    for (const path of ["", "areas", "areas/x/runs/7", "jobs/x", "hosts/x", "schedules", "search?q=x"]) {
      const url = `${served.server.url}${base}/${path}`;
      expect([path, (await fetch(url)).status]).toEqual([path, 401]);
      const page = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
      expect([path, page.status, page.headers.get("content-type")]).toEqual([path, 200, "text/html"]);
      expect(page.headers.get("content-security-policy")).toContain("script-src 'self'");
      expect(await page.text()).toContain(`<base href="${base}/" />`);
    }
    const other = await fetch(`${served.server.url}${base}/x`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(other.status).toBe(404);
  });

  it("finds areas, hosts, jobs and runs by a part of their names", async () => {
    const { page, offences } = await open("jobs");
    const search = page.getByRole("searchbox", { name: "Search areas, jobs, runs and hosts" });
    await search.fill("ADD");
    await search.press("Enter");
    await heading(page, "Search: ADD");
    expect(pathOf(page)).toBe("search?q=ADD");
    const areas = page.locator("section", { has: page.getByRole("heading", { name: "Areas" }) });
    await areas.getByRole("link", { name: "adder", exact: true }).waitFor();
    await page.getByRole("table", { name: "Jobs" }).getByText(jobId).waitFor();
    await search.fill("hostb");
    await search.press("Enter");
    await page.getByRole("main").getByRole("link", { name: "hostb" }).first().waitFor();
    await search.fill(jobId.slice(3));
    await search.press("Enter");
    await page
      .getByRole("main")
      .getByRole("row", { name: jobId })
      .getByRole("link", { name: "reduce" })
      .click();
    await heading(page, jobId);
    const [run] = (await served.call(`GET ${base}/api/v1/search?q=.1`, undefined, bearer)).body.runs.list;
    await search.fill(run.runname);
    await search.press("Enter");
    const runs = page.locator("section", { has: page.getByRole("heading", { name: "Runs" }) });
    expect(await runs.getByRole("listitem").first().innerText()).toMatch(
      /20\d\d-\d\d-\d\d .* ago run \d+ in/,
    );
    await runs
      .getByRole("listitem")
      .getByRole("link", { name: `${run.target}/${run.runname}` })
      .click();
    await heading(page, run.runname);
    await search.fill("no such thing");
    await search.press("Enter");
    await page.getByText("Nothing found.").waitFor();
    await page.goBack();
    await heading(page, run.runname);
    await page.getByRole("main").getByRole("link", { name: "bus", exact: true }).click();
    await page.getByRole("link", { name: "All runs of this area" }).click();
    await heading(page, /^Runs of bus$/);
    expect(offences).toEqual([]);
  });

  it("loads less than 150 kB of script and style, in the compressed form that the browser accepts", async () => {
    const headers = { authorization: `Bearer ${token}` };
    const sizes = async (encoding: string) => {
      const files = ["main.js", "page.css"].map(async (name) => {
        const url = `${served.server.url}${base}/static/page/${name}`;
        const answer = await fetch(url, { headers: { ...headers, "accept-encoding": encoding } });
        expect([name, answer.headers.get("content-encoding")]).toEqual([name, encoding]);
        expect(answer.headers.get("vary")).toMatch(/accept-encoding/i);
        return Number(answer.headers.get("content-length"));
      });
      return (await Promise.all(files)).reduce((sum, size) => sum + size, 0);
    };
    const [brotli, gzip] = [await sizes("br"), await sizes("gzip")];
    console.log(`script and style: ${brotli} bytes with Brotli, ${gzip} with gzip`);
    expect(brotli).toBeGreaterThan(10_000);
    expect(Math.max(brotli, gzip)).toBeLessThan(150_000);
    const { page } = await open("");
    const encoded = await page.evaluate(
      "performance.getEntriesByType('resource').filter(({ name }) => /static/.test(name)).map(({ transferSize }) => transferSize)",
    );
    expect((encoded as number[]).reduce((sum, size) => sum + size, 0)).toBeLessThan(150_000);
  });

  it("says so when the server goes away, and goes on when it is back", async () => {
    const { page } = await open("jobs");
    await page.locator("#live", { hasText: "live" }).waitFor();
    await page.context().setOffline(true);
    await page.getByLabel("State").selectOption("active");
    await page.getByRole("alert").getByText("the server is unreachable").waitFor();
    await page.context().setOffline(false);
    await page.getByLabel("State").selectOption("waiting");
    await page.getByRole("alert").waitFor({ state: "detached" });
    await page.getByRole("row", { name: jobId }).waitFor();
  });
});

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildArea } from "../../../../producers/demo/sample-area/build-area.ts";
import { testsAllPages, withBrowser, withServerStage } from "../../../support/queue.ts";

const roles = ["read", "operate", "admin"] as const;
const secret = (name: string) => `${name}-0123456789abcdef`;

function tokensFile(directory: string): string {
  const file = join(directory, "tokens.json");
  const tokens = roles.map((role) => ({ name: `${role}-user`, token: secret(role), role }));
  writeFileSync(file, JSON.stringify({ tokens }), { mode: 0o600 });
  return file;
}

describe.skipIf(!testsAllPages)("what a token may not do (needs Chromium)", { timeout: 150_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), "mtjobs-rights-"));
  afterAll(() => rmSync(directory, { recursive: true }));
  const served = withServerStage({ env: { MTJOBS_TOKENS_FILE: tokensFile(directory) } });
  const browser = withBrowser();
  let area = "";
  let failed = "";

  beforeAll(async () => {
    const { stage } = served;
    area = stage.area("a1", "hosta");
    await stage.worker("hosta");
    failed = await stage.enqueue("hosta", area, "refuse");
    await stage.reach("hosta", failed, "failed");
    const takeover = { v: 1, area, to: "hostb", takeover: true, confirmed: true, requestedBy: "ann@hosta" };
    await stage.add("hostb", "migrate", takeover, { jobId: "migrate-1" });
    const data = { v: 1, area, runname: "%", requestedBy: "ann@hosta", schedule: "nightly" };
    await stage
      .queue("hosta")
      .upsertJobScheduler("nightly", { pattern: "0 2 1 1 *" }, { name: "reduce", data });
  });

  const open = async (role: string, path: string): Promise<Page> => {
    const httpCredentials = { username: "anyone", password: secret(role) };
    const { page } = await browser.open(`${served.server.url}/${path}`, { httpCredentials });
    await page.locator("#user", { hasText: `${role}-user@127.0.0.1 ${role}` }).waitFor();
    return page;
  };
  const buttons = async (role: string, path: string) => {
    const page = await open(role, path);
    await page.getByRole("heading", { name: "Timeline" }).waitFor();
    return await page.getByRole("main").getByRole("button").allInnerTexts();
  };

  it("is not offered", async () => {
    expect(await buttons("read", `jobs/${failed}`)).toEqual([]);
    expect(await buttons("operate", `jobs/${failed}`)).toEqual(["Retry", "Run again as a dry run"]);
    expect(await buttons("read", "jobs/migrate-1")).toEqual([]);
    expect(await buttons("operate", "jobs/migrate-1")).toEqual(["Cancel"]);
    expect(await buttons("admin", "jobs/migrate-1")).toEqual(["Cancel", "Run again as a dry run"]);
    const address = `areas/by-path?${new URLSearchParams({ path: area })}`;
    const reader = await open("read", address);
    await reader.getByText("Your token may only read.").waitFor();
    expect(await reader.getByRole("form").count()).toBe(0);
    const request = `request?${new URLSearchParams({ job: "migrate", area })}`;
    await (await open("read", request)).getByText("Your token may only read.").waitFor();
    const [operator, admin] = [await open("operate", request), await open("admin", request)];
    await operator.getByText("More", { exact: true }).click();
    await admin.getByText("More", { exact: true }).click();
    expect(await operator.getByLabel("Move again within an hour").count()).toBe(0);
    await admin.getByLabel("Move again within an hour").waitFor();
    await (await open("operate", address)).getByRole("form", { name: "Start a job" }).waitFor();
    const named = async (role: string) => {
      const row = (await open(role, "schedules")).locator("tr[data-name=nightly]");
      await row.waitFor();
      return await row.getByRole("button").allInnerTexts();
    };
    expect(await named("read")).toEqual(["Turns"]);
    expect(await named("operate")).toEqual(["Turns", "Run now", "Pause"]);
  });

  it("is not offered for runs: neither to select them, nor to query them", async () => {
    const directory = join(served.stage.root, "a2");
    const options = { cacheRoot: "/nowhere", user: "ann", withCache: false, unsynced: false };
    buildArea({ directory, host: "hosta", runs: 2, testsPerRun: 1, ...options });
    const path = new URLSearchParams({ path: directory });
    const reader = await open("read", `areas/by-path/runs?${path}`);
    await reader.locator("tr[data-run]").first().waitFor();
    const main = reader.getByRole("main");
    expect(await main.getByRole("checkbox").count()).toBe(0);
    expect(await main.getByText("SQL").count()).toBe(0);
    await main.locator("tr[data-run] a").first().click();
    await main.locator("tr[data-test]").first().waitFor();
    expect(await main.getByRole("button", { name: /^Try/ }).count()).toBe(0);
    const sql = await open("read", `areas/by-path/sql?${path}&sql=SELECT+1`);
    await sql.getByText("a query needs the role operate").waitFor();
    expect(await sql.getByRole("form", { name: "Query" }).count()).toBe(0);
    const operator = await open("operate", `areas/by-path/runs?${path}`);
    await operator.getByRole("checkbox", { name: /^Select \S+, run 1$/ }).waitFor();
  });

  it("is what the role says, and the job shows who asked for it", async () => {
    const page = await open("operate", `jobs/${failed}`);
    await page.getByRole("button", { name: "Run again as a dry run" }).click();
    await page.locator("dl.facts").getByText("reduce (dry run)").waitFor();
    await page.locator("dl.facts").getByText("operate-user@127.0.0.1").waitFor();
    await page.locator(".timeline").getByText("requested by operate-user@127.0.0.1").waitFor();
    await page.getByRole("link", { name: "Jobs", exact: true }).click();
    await page.getByRole("row", { name: /^reduce \(dry run\).*operate-user@127\.0\.0\.1/ }).waitFor();
  });
});

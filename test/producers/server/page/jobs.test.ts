import type { Page } from "playwright-core";
import { beforeAll, describe, expect, it } from "vitest";
import { hasBrowser, withBrowser, withServerStage } from "../../../support/queue.ts";

const wide = { viewport: { width: 1280, height: 900 } };

describe.skipIf(!hasBrowser)("the pages of jobs (need Chromium)", { timeout: 150_000 }, () => {
  const served = withServerStage();
  const browser = withBrowser();
  const open = (path: string, options = {}) =>
    browser.open(`${served.server.url}/${path}`, { ...wide, ...options });
  const jobsOf = async (page: Page) =>
    (await page
      .locator("tr[data-job]")
      .evaluateAll((rows) =>
        rows.map((row) => (row as unknown as { dataset: { job: string } }).dataset.job),
      )) as string[];
  const shows = async (page: Page, ids: string[]) => {
    await expect.poll(async () => (await jobsOf(page)).sort(), { timeout: 20_000 }).toEqual([...ids].sort());
  };
  const fact = (page: Page, name: string) => page.locator(`dl.facts dt:text-is("${name}") + dd`);

  beforeAll(async () => {
    await served.stage.worker("hosta");
  });

  it("lists jobs, filtered by what the address says, which each filter changes", async () => {
    const { stage } = served;
    const [one, other] = [stage.area("one", "hostx"), stage.area("one-more", "hostx")];
    const add = (host: string, name: string, jobId: string, data: object) =>
      stage.add(host, name, { v: 1, area: one, ...data }, { jobId });
    await add("hostx", "reduce", "reduce-1", { requestedBy: "ann@hosta" });
    await add("hosty", "restore", "restore-2", { requestedBy: "bob@hosta", dryRun: true });
    await add("hostx", "reduce", "reduce-3", { area: other, requestedBy: "joanna@hostb" });
    await add("hosty", "migrate-step", "check-4", { step: "check", migration: "m" });
    await stage.cancel("hosty", "restore-2");
    const { page, offences } = await open("jobs?host=hostx");
    await shows(page, ["reduce-1", "reduce-3"]);
    await page.getByLabel("Host", { exact: true }).selectOption("");
    await shows(page, ["reduce-1", "restore-2", "reduce-3"]);
    await page.getByLabel("State").selectOption("cancelled");
    await shows(page, ["restore-2"]);
    await page.getByRole("row", { name: /^restore \(dry run\).*cancelled.*bob@hosta/ }).waitFor();
    expect(new URL(page.url()).search).toBe("?state=cancelled");
    await page.goBack();
    await page.getByLabel("Kind").selectOption("migrate-step");
    await shows(page, ["check-4"]);
    await page.getByLabel("Kind").selectOption("");
    await page.getByLabel("Requested by").fill("Ann");
    await shows(page, ["reduce-1", "reduce-3"]);
    await page.getByLabel("Area or job id", { exact: true }).fill(one);
    await shows(page, ["reduce-1"]);
    await page.getByLabel("Requested by").fill("");
    await page.getByLabel("Area or job id", { exact: true }).fill("-MORE");
    await shows(page, ["reduce-3"]);
    await page.reload();
    await shows(page, ["reduce-3"]);
    expect(await page.getByLabel("Area or job id", { exact: true }).inputValue()).toBe("-MORE");
    expect(offences).toEqual([]);
  });

  it("reads less than 300 kB for 500 jobs with long data, and says that there are more", async () => {
    const { stage } = served;
    const many = Array.from({ length: 600 }, (_, index) => ({
      name: "reduce",
      data: { v: 1, area: `/areas/chips/area-${index}`, requestedBy: "ann@hosta", runname: "x".repeat(2000) },
      opts: { jobId: `reduce-${String(index).padStart(16, "0")}` },
    }));
    await stage.queue("hostz").addBulk(many);
    const { page } = await open("jobs?host=hostz");
    await page.getByText("the newest 100 jobs; there may be more").waitFor();
    const answer = page.waitForResponse((response) => response.url().includes("limit=500"));
    await page.getByRole("button", { name: "Show more" }).click();
    expect((await (await answer).body()).length).toBeLessThan(300_000);
    await page.getByText("the newest 500 jobs; filter to see older ones").waitFor();
    expect(await page.locator("tr[data-job]").count()).toBe(500);
    expect(new URL(page.url()).searchParams.get("limit")).toBe("500");
    await stage.queue("hostz").obliterate();
  });

  it("shows a new job and a new state at once", async () => {
    const { stage } = served;
    const { page } = await open("jobs?host=hostnew");
    await page.getByText("none", { exact: true }).waitFor();
    const jobId = await stage.add("hostnew", "reduce", { v: 1, area: "/a" }, { jobId: "reduce-new" });
    await page.getByRole("row", { name: /reduce-new.*waiting/ }).waitFor({ timeout: 10_000 });
    await stage.cancel("hostnew", jobId);
    await page.getByRole("row", { name: /reduce-new.*cancelled/ }).waitFor({ timeout: 10_000 });
  });

  it("follows a job: what it waits for, its progress with rate and log, and its result in words and as JSON", async () => {
    const { stage } = served;
    const area = stage.area("followed", "hosta");
    const jobId = await stage.enqueue("hosta", area, "hold");
    const { page, offences } = await open(`jobs/${jobId}`);
    await fact(page, "state").getByText("active").waitFor();
    const progress = page.getByRole("region", { name: "Progress" });
    await progress.getByText(/^hold, \d+ of \d+ runs, \d+ rows, [\d.]+ rows a second/).waitFor();
    await progress.locator("progress").waitFor();
    await page.getByLabel("Log").getByText("the script is hold").waitFor();
    expect(await page.locator(".timeline li").allInnerTexts()).toEqual([
      expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d requested by unknown$/),
      expect.stringMatching(/ started on hosta after [\d.]+ m?s by \d+@hosta$/),
      "now active",
    ]);
    stage.release(area);
    await fact(page, "state").getByText("completed").waitFor();
    await page.getByLabel("Result", { exact: true }).getByText(`${jobId}: moved 0 runs of ${area}`).waitFor();
    expect(await page.getByRole("region", { name: "Progress" }).count()).toBe(0);
    expect(await page.locator(".timeline li").last().innerText()).toMatch(/completed after [\d.]+ m?s$/);
    await page.getByText("Result as JSON").click();
    const json = () => page.getByLabel("Result as JSON").innerText();
    await expect.poll(json).not.toBe("");
    expect(JSON.parse(await json())).toMatchObject({ jobId, area, state: "completed" });
    expect(await fact(page, "area").getByRole("link").getAttribute("href")).toBe(
      `areas/by-path?${new URLSearchParams({ path: area })}`,
    );
    const board = await fact(page, "host").getByRole("link", { name: "on Bull Board" }).getAttribute("href");
    expect(board).toBe(`queues/queue/host.hosta/${jobId}`);
    await fact(page, "host").getByRole("link", { name: "on Bull Board" }).click();
    await page.getByText(jobId).first().waitFor();
    expect(offences).toEqual([]);
  });

  it("follows a job to the queue that it is forwarded to, with the log that it has there", async () => {
    const { stage } = served;
    const area = stage.area("forwarded", "hosta");
    const jobId = await stage.enqueue("hostm", area, "hold");
    const job = await stage.queue("hostm").getJob(jobId);
    for (const line of ["one", "two", "three", "four"]) await job?.log(`line ${line}`);
    const { page } = await open(`jobs/${jobId}`);
    await page.getByLabel("Log").getByText("line four").waitFor();
    await stage.worker("hostm");
    await fact(page, "host").getByText("hosta").waitFor();
    await page.getByLabel("Log").getByText("the script is hold").waitFor();
    expect(await page.getByLabel("Log").innerText()).not.toContain("line four");
    stage.release(area);
    await fact(page, "state").getByText("completed").waitFor();
  });

  it("cancels a job once the user has confirmed it, and not if the dialog is left", async () => {
    const { stage } = served;
    const area = stage.area("cancelled", "hosta");
    const jobId = await stage.enqueue("hosta", area, "hold");
    const { page, offences } = await open(`jobs/${jobId}`);
    await fact(page, "state").getByText("active").waitFor();
    let requests = 0;
    page.on("request", (request) => {
      if (request.method() === "DELETE") requests++;
    });
    const cancel = page.getByRole("button", { name: "Cancel", exact: true });
    await cancel.click();
    const dialog = page.getByRole("dialog", { name: `Cancel ${jobId}?` });
    await dialog.getByText("What it moved stays moved.").waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    expect(await stage.state("hosta", jobId)).toBe("active");
    await cancel.click();
    await dialog.getByRole("button", { name: "Cancel the job" }).click();
    await fact(page, "state").getByText("cancelled").waitFor();
    expect(requests).toBe(1);
    expect(await cancel.count()).toBe(0);
    expect(await page.getByRole("button", { name: "Retry" }).count()).toBe(0);
    expect(offences).toEqual([]);
  });

  it("says before and after cancelling a job that waits to go on that what it moved stays moved", async () => {
    const { stage } = served;
    const data = { v: 1, area: stage.area("put-off", "hosta"), runname: "busy" };
    const jobId = await stage.add("hosta", "reduce", data, { attempts: 2, backoff: 60_000 });
    await stage.reach("hosta", jobId, "delayed");
    const { page } = await open(`jobs/${jobId}`);
    await page.getByRole("button", { name: "Cancel", exact: true }).click();
    const dialog = page.getByRole("dialog", { name: `Cancel ${jobId}?` });
    await dialog.getByText("It is taken from its queue. What it moved stays moved.").waitFor();
    await dialog.getByRole("button", { name: "Cancel the job" }).click();
    await page.getByText("It was taken from its queue. What it moved stays moved.").waitFor();
    await fact(page, "state").getByText("cancelled").waitFor();
  });

  it("retries a failed job, and runs a job again as a dry run, and shows the new job each time", async () => {
    const { stage } = served;
    const area = stage.area("retried", "hosta");
    const failed = await stage.enqueue("hosta", area, "refuse");
    await stage.reach("hosta", failed, "failed");
    const { page, offences } = await open(`jobs/${failed}`);
    await page.getByRole("alert").getByText("pinned: this area is pinned").waitFor();
    await page.getByRole("button", { name: "Retry" }).click();
    const title = page.getByRole("heading", { level: 1 });
    await title
      .filter({ hasNotText: failed })
      .filter({ hasText: /^reduce-/ })
      .waitFor();
    await fact(page, "state").getByText("failed").waitFor();
    expect(await fact(page, "requested by").innerText()).toBe("http@127.0.0.1");
    const retried = await title.innerText();
    await page.goBack();
    await title.filter({ hasText: failed }).waitFor();
    await page.getByRole("button", { name: "Retry" }).click();
    await page.getByText(`was retried as ${retried}, which has failed`).waitFor();
    await page.getByRole("button", { name: "Run again as a dry run" }).click();
    await fact(page, "kind").getByText("reduce (dry run)").waitFor();
    expect(await title.innerText()).not.toBe(failed);
    // A browser itself notes the refusal of the second retry.
    expect(offences).toEqual([expect.stringContaining("400")]);
  });

  it("says what a job waits for, and of one that Redis no longer has, that it is gone", async () => {
    const { stage } = served;
    const jobId = await stage.add("hostnone", "reduce", { v: 1, area: "/areas/a1" }, { jobId: "reduce-w" });
    const { page } = await open(`jobs/${jobId}`);
    await page.getByText("No worker serves hostnone now; the job waits until one does.").waitFor();
    const gone = await open("jobs/reduce-gone");
    await gone.page
      .getByRole("alert")
      .getByText(/no job reduce-gone in any queue.*the area's history keeps/)
      .waitFor();
  });
});

import { beforeAll, describe, expect, it } from "vitest";
import { listDrained, setDrained } from "../../../../shared/queue/hosts.ts";
import { testsAllPages, withBrowser, withServerStage } from "../../../support/queue.ts";

describe.skipIf(!testsAllPages)("the page of a host (needs Chromium)", { timeout: 150_000 }, () => {
  const served = withServerStage();
  const browser = withBrowser();
  const open = (path: string) =>
    browser.open(`${served.server.url}/${path}`, { viewport: { width: 1280, height: 900 } });

  beforeAll(async () => {
    await served.stage.worker("hosta");
  });

  it("shows its worker, queue, areas, and recent and failed jobs, as they change", async () => {
    const { stage } = served;
    const areas = Array.from({ length: 30 }, (_, index) =>
      stage.area(`a${String(index).padStart(2, "0")}`, "hosta"),
    );
    const [held = "", refused = ""] = areas;
    const failed = await stage.enqueue("hosta", refused, "refuse");
    await stage.reach("hosta", failed, "failed");
    const { page, offences } = await open("hosts");
    await page.locator("article[data-host=hosta]").getByRole("link", { name: "hosta" }).click();
    await page.getByRole("heading", { level: 1, name: "hosta" }).waitFor();
    const facts = page.locator("dl.facts");
    await facts.getByText("worker alive").waitFor();
    await facts.getByText("0 waiting, 0 active, 1 failed, 0 cancelled, 0 completed").waitFor();
    await facts.getByText(stage.root).waitFor();
    const rows = (name: string) => page.getByRole("table", { name }).locator("tbody tr");
    await rows("Failed jobs").filter({ hasText: failed }).getByText("this area is pinned").waitFor();
    expect(await page.locator(".columns a").count()).toBe(25);
    expect(await page.getByRole("link", { name: "All 30 areas" }).getAttribute("href")).toBe(
      "areas?home=hosta",
    );
    await page.getByText("no job is running").waitFor();
    const jobId = await stage.enqueue("hosta", held, "hold");
    await page
      .getByText(/^hold, [\d,]+ of [\d,]+ runs/)
      .first()
      .waitFor();
    await rows("Recent jobs").filter({ hasText: jobId }).getByText("active").waitFor();
    await page.getByRole("link", { name: "All jobs of this host" }).click();
    await page.locator("tr[data-job]").nth(1).waitFor();
    expect(await page.getByLabel("Host", { exact: true }).inputValue()).toBe("hosta");
    await page.goBack();
    stage.release(held);
    await rows("Recent jobs").filter({ hasText: jobId }).getByText("completed").waitFor();
    await page.getByRole("link", { name: "its queue on Bull Board" }).click();
    await page.waitForURL("**/queues/queue/host.hosta*");
    await page.getByText("hosta").first().waitFor();
    expect(offences).toEqual([]);
  });

  it("says that it is drained, by whom and until when, and that its worker is gone", async () => {
    const { stage } = served;
    const worker = await stage.worker("hostd");
    await setDrained(stage.redis, stage.prefix, "hostd", "ann@hosta");
    const { page } = await open("hosts/hostd");
    await page.getByText(/by ann@hosta .*: takes no new areas until/).waitFor();
    await page.getByText("mtjobs undrain hostd").waitFor();
    await page.getByRole("button", { name: "Let it take areas again" }).click();
    const drain = page.getByRole("link", { name: "Drain this host" });
    await drain.waitFor();
    expect(await listDrained(stage.redis, stage.prefix)).toEqual(new Map());
    expect(await drain.getAttribute("href")).toBe("request?job=drain&host=hostd");
    worker.child.kill("SIGKILL");
    await page.getByRole("alert").getByText("Its worker is gone").waitFor();
  });
});

import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { onHosts } from "../../../support/hosts.ts";
import { picture, serverEnv, startServer, testsAllPages, withBrowser } from "../../../support/queue.ts";

describe.skipIf(!testsAllPages)("the page of a migration (needs Chromium)", { timeout: 150_000 }, () => {
  const browser = withBrowser();

  it("shows the steps on both hosts as they happen, and the result in words with its checks", () =>
    onHosts(async (hosts) => {
      const area = hosts.area();
      await Promise.all([hosts.start("host-a"), hosts.start("host-b")]);
      const env = { ...serverEnv(hosts.stage), MTJOBS_AREAS: join(hosts.stage.root, "areas") };
      const server = await startServer(env);
      try {
        const jobId = await hosts.migrate(area, "host-b", { requestedBy: "ann@host-a" });
        const { page, offences } = await browser.open(`${server.url}/jobs/${jobId}`, {
          viewport: { width: 1280, height: 1000 },
        });
        await page.locator("dl.facts").getByText("completed").waitFor();
        const lines = page.locator(".timeline li");
        await lines.filter({ hasText: "step close on host-a completed" }).waitFor();
        const texts = await lines.allInnerTexts();
        expect(texts[0]).toMatch(/requested by ann@host-a$/);
        expect(texts.some((text) => /started on host-b after .* by \d+@host-b/.test(text))).toBe(true);
        expect(texts.some((text) => /step check on host-a completed in [\d.]+ m?s$/.test(text))).toBe(true);
        expect(texts.at(-1)).toMatch(/ completed after [\d.]+ m?s$/);
        const times = await page
          .locator(".timeline time")
          .evaluateAll((all) => all.map((time) => (time as unknown as { dateTime: string }).dateTime));
        expect(times).toEqual([...times].sort());
        const result = page.getByLabel("Result", { exact: true });
        await result
          .getByText(`${jobId}: moved ${area.directory} from host-a (10.9.0.1) to host-b (10.9.0.2)`)
          .waitFor();
        await picture(page, "job");
        await lines.getByRole("link", { name: "close" }).click();
        await page.locator("dl.facts").getByText("migrate-step close").waitFor();
        await page.locator("dl.facts").getByRole("link", { name: "host-a" }).waitFor();
        // Only the workers request it.
        expect(await page.getByRole("main").getByRole("button").count()).toBe(0);
        expect(offences).toEqual([]);
      } finally {
        server.child.kill("SIGTERM");
        await server.finished;
      }
    }));
});

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, it } from "vitest";
import { encodeFailure } from "../../../../shared/contract/failure.ts";
import { JobsError } from "../../../../shared/errors.ts";
import { writeOutcome } from "../../../../shared/queue/outcomes.ts";
import { accessFaults, hasBrowser, withBrowser, withServerStage } from "../../../support/queue.ts";

const phone = { viewport: { width: 390, height: 844 }, isMobile: true };
const markup = `"><img src=x onerror=alert(1)><script>alert(2)</script>&amp;'`;
/** Turns a terminal red, and the text that follows around. */
const controls = "a\u001b[31mb\u202ec\u0007";
const visible = "a\\u001b[31mb\\u202ec\\u0007";
const long = `/${"<i>x".repeat(1000)}`;

describe.skipIf(!hasBrowser)(
  "names with markup, control characters, or 4,000 characters (need Chromium)",
  {
    timeout: 150_000,
  },
  () => {
    const served = withServerStage();
    const browser = withBrowser();
    const host = `h<b>${markup.replaceAll(/[:/]/g, "")}`;
    const oddId = `id/../?#%${markup}`;
    const directory = `<img src=x>${controls}`;

    beforeAll(async () => {
      const { stage } = served;
      const path = join(stage.root, directory);
      mkdirSync(path);
      writeFileSync(join(path, "megatest.config"), "[fields]\nsysname TEXT\n\n[setup]\nlinktree /tmp/lt\n");
      writeFileSync(join(path, "megatest.db"), "");
      writeFileSync(join(path, ".homehost"), host);
      const add = (name: string, jobId: string, data: unknown) => stage.add(host, name, data, { jobId });
      await add(markup, "odd-kind", { area: `/${controls}${markup}`, requestedBy: `${markup}${controls}` });
      await add("reduce", "long-area", { v: 1, area: long, requestedBy: "u".repeat(512) });
      await add("reduce", oddId, { v: 1, area: path, runname: markup });
      await add("reduce", "no-data", null);
      await add("migrate", "odd-data", { area: 7, requestedBy: { toString: 1 }, step: [] });
      await stage
        .queue(host)
        .getJob("odd-kind")
        .then((job) => job?.log(`${markup}\n${controls}`));
      const now = new Date().toISOString();
      await writeOutcome(stage.redis, stage.prefix, {
        ...{ kind: "policy", name: `${markup}${controls}`, area: path, host, jobId: oddId, work: "w" },
        ...{ startedAt: now, endedAt: now, error: { code: "io", message: markup }, timeUp: null },
      });
      const reason = encodeFailure(new JobsError("internal", `${markup}${controls}${"long ".repeat(800)}`));
      const failed = await stage.queue("hostf").add("reduce", { area: path }, { jobId: "reduce-f" });
      await stage.redis.hset(stage.queue("hostf").toKey(failed.id ?? ""), {
        failedReason: reason,
        finishedOn: Date.now(),
      });
      await stage.redis.lrem(stage.queue("hostf").toKey("wait"), 1, "reduce-f");
      await stage.redis.zadd(stage.queue("hostf").toKey("failed"), Date.now(), "reduce-f");
    });

    async function opened(path: string): Promise<{ page: Page; text: string }> {
      const { page, offences } = await browser.open(`${served.server.url}/${path}`, phone);
      page.on("dialog", (dialog) => offences.push(dialog.message()));
      await page.locator("#live", { hasText: "live" }).waitFor();
      await expect.poll(() => page.locator("main [aria-busy=true]").count(), { timeout: 20_000 }).toBe(0);
      // A browser itself notes the refusal of a path outside the roots.
      expect([path, offences.filter((each) => !each.includes("403"))]).toEqual([path, []]);
      expect([path, await page.locator("main :is(img, script, i, b)").count()]).toEqual([path, 0]);
      const width = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
      expect([path, width]).toEqual([path, 0]);
      expect([path, await accessFaults(page)]).toEqual([path, []]);
      return { page, text: await page.locator("main").innerText() };
    }

    it("are shown as text in every list, and widen no page", async () => {
      for (const path of [
        "",
        "areas",
        "jobs",
        "hosts",
        `hosts/${encodeURIComponent(host)}`,
        "search?q=%3C",
        "schedules",
        `request?${new URLSearchParams({ job: "purge", area: directory, runname: controls, export: long })}`,
      ]) {
        const { text } = await opened(path);
        expect([path, text]).toEqual([path, expect.stringContaining("<")]);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be left
        expect([path, /[\u0000-\u0008\u000b-\u001f\u202e]/.test(text)]).toEqual([path, false]);
      }
      expect((await opened("jobs?host=hostf")).text).toContain(`${markup}${visible}`);
    });

    it("are shown as text on the pages of a job and of an area", async () => {
      const kind = await opened("jobs/odd-kind");
      expect(kind.text).toContain(`/${visible}${markup}`);
      expect(await kind.page.getByLabel("Log").innerText()).toContain(`${markup}\\u000a${visible}`);
      expect((await opened("jobs/long-area")).text).toContain(long);
      expect((await opened("jobs/no-data")).text).toContain("requested by an unknown user");
      expect((await opened("jobs/odd-data")).text).toContain("migrate");
      expect((await opened("jobs/reduce-f")).text).toContain(`internal: ${markup}${visible}`);
      const { page, text } = await opened("jobs");
      expect(text).toContain(oddId);
      await page.locator("tr", { hasText: oddId }).getByRole("link", { name: "reduce" }).click();
      await page.getByRole("heading", { level: 1, name: oddId }).waitFor();
      await page
        .locator("dl.facts")
        .getByRole("link", { name: directory.slice(0, 11) })
        .click();
      await page.getByRole("heading", { level: 1, name: `<img src=x>${visible}` }).waitFor();
      await page.reload();
      await page.getByRole("heading", { level: 1, name: `<img src=x>${visible}` }).waitFor();
      await opened(`areas/by-path?${new URLSearchParams({ path: long })}`);
    });
  },
);

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { AxeResults } from "axe-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll } from "vitest";
import { findChromium } from "../../../scripts/chromium.mjs";
import { variable } from "../environment.ts";

const path = findChromium();

/** Whether Chromium is installed; `npm test` installs it if it may. */
export const hasBrowser = path !== undefined;

export interface Watched {
  page: Page;
  /** Errors on its console, and requests to other sites. */
  offences: string[];
}

/** Provides one headless Chromium for all tests of a file. */
export function withBrowser(): { open: (url: string, options?: object) => Promise<Watched> } {
  let browser: Browser | undefined;
  const opened: Page[] = [];
  beforeAll(async () => {
    const { chromium } = await import("playwright-core");
    // Without a sandbox: root starts it, and it loads only this machine's pages.
    browser = await chromium.launch({ executablePath: path ?? "", args: ["--no-sandbox"] });
  });
  // An open page keeps polling.
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((page) => page.close()));
  });
  afterAll(async () => await browser?.close());
  return {
    async open(url, options = {}) {
      if (browser === undefined) throw new Error("only within tests");
      const page = await browser.newPage({ reducedMotion: "reduce", ...options });
      opened.push(page);
      page.setDefaultTimeout(45_000);
      const offences: string[] = [];
      const { origin } = new URL(url);
      page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning") offences.push(message.text());
      });
      page.on("pageerror", (error) => offences.push(error.message));
      page.on("request", (request) => {
        if (!request.url().startsWith(origin) && !request.url().startsWith("data:"))
          offences.push(request.url());
      });
      await page.goto(url);
      return { page, offences };
    },
  };
}

const axe = () => readFileSync(new URL(import.meta.resolve("axe-core/axe.min.js")), "utf8");

/** Returns what axe-core finds wrong with a page, as `rule: element`. */
export async function accessFaults(page: Page): Promise<string[]> {
  // Not as a script of the page, whose content security policy forbids others.
  await page.evaluate(axe());
  const { violations } = (await page.evaluate("axe.run()")) as AxeResults;
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 300)}`));
}

/** True for `npm run pages`, which tests every page; a test run takes the main ones. */
export const testsAllPages = hasBrowser && variable("MTJOBS_PAGES") === "all";

/** Where pictures go for the documentation, made by `npm run pictures`. */
const pictures = variable("SCREENSHOTS");

export async function picture(page: Page, name: string): Promise<void> {
  if (pictures !== "") await page.screenshot({ path: join(pictures, `${name}.png`) });
}

import getPort from "get-port";
import { describe, expect, it } from "vitest";
import { temporaryDirectory } from "../../../support/area.ts";
import {
  canStartServer,
  hasBrowser,
  onQueue,
  serverEnv,
  startServer,
  withBrowser,
  withServer,
} from "../../../support/queue.ts";

describe.skipIf(!hasBrowser || !canStartServer)("the page (needs Chromium)", { timeout: 150_000 }, () => {
  const browser = withBrowser();

  it("says that Redis is away, keeps what it has, and goes on when Redis is back", () =>
    withServer([], (redisUrl, redis) =>
      onQueue(async (stage) => {
        const jobId = await stage.enqueue("hosta", stage.area("a1", "hosta"), "later");
        const server = await startServer(serverEnv(stage));
        try {
          const { page } = await browser.open(`${server.url}/jobs`);
          const live = page.locator("#live");
          await live.filter({ hasText: "live" }).waitFor();
          await page.getByRole("row", { name: jobId }).waitFor();
          await redis.kill();
          await live.filter({ hasText: /redis/i }).waitFor();
          await page.getByRole("row", { name: jobId }).waitFor();
          await page.getByLabel("State").selectOption("failed");
          await page.getByRole("alert").getByText(/redis/i).waitFor();
          await redis.restart();
          await live.filter({ hasText: /^live$/ }).waitFor();
          await page.getByRole("alert").waitFor({ state: "detached" });
          await page.getByText("none", { exact: true }).waitFor();
        } finally {
          server.child.kill("SIGTERM");
          await server.finished;
        }
      }, redisUrl),
    ));

  it("says that the token is no longer accepted, and goes on with the new one", () =>
    onQueue(async (stage) => {
      const port = await getPort({ host: "127.0.0.1" });
      const start = async (token: string) => {
        const env = { ...serverEnv(stage), MTJOBS_TOKEN: token, HOME: temporaryDirectory() };
        return await startServer(env, ["--listen", `127.0.0.1:${port}`]);
      };
      const first = await start("the first long token");
      const httpCredentials = { username: "ann", password: "the first long token" };
      const { page } = await browser.open(`${first.url}/jobs`, { httpCredentials });
      await page.locator("#live", { hasText: "live" }).waitFor();
      first.child.kill("SIGTERM");
      await first.finished;
      const second = await start("the second long token");
      try {
        await page.getByLabel("State").selectOption("failed");
        await page.getByRole("alert").getByText("the token is no longer accepted").waitFor();
        await page.locator("#live", { hasText: "not connected" }).waitFor();
        await page.context().setHTTPCredentials({ username: "ann", password: "the second long token" });
        await page.reload();
        await page.locator("#live", { hasText: "live" }).waitFor();
        expect(await page.getByLabel("State").inputValue()).toBe("failed");
        await page.getByText("none", { exact: true }).waitFor();
      } finally {
        second.child.kill("SIGTERM");
        await second.finished;
      }
    }));
});

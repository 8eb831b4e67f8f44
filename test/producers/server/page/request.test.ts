import { mkdirSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import type { Job } from "bullmq";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { buildArea, type SampleArea } from "../../../../producers/demo/sample-area/build-area.ts";
import { builtThreadUrl } from "../../../../workers/job-thread/job-threads.ts";
import { assertWritesKept, exportsIn } from "../../../support/area.ts";
import {
  announce,
  hasBrowser,
  migrated,
  refused,
  startMegatestClient,
  unionOf,
  withBrowser,
  withServerStage,
  withStandIn,
} from "../../../support/queue.ts";

describe.skipIf(!hasBrowser)("the page that requests jobs (needs Chromium)", { timeout: 150_000 }, () => {
  const served = withServerStage();
  const browser = withBrowser();
  let sample: SampleArea;
  let area = "";
  let archive = "";

  beforeAll(async () => {
    const { stage } = served;
    area = join(stage.root, "real area");
    archive = join(stage.root, "archive");
    mkdirSync(archive, { mode: 0o755 });
    const user = userInfo().username;
    const cacheRoot = join(stage.root, "caches");
    sample = buildArea({
      directory: area,
      host: "hosta",
      runs: 6,
      testsPerRun: 2,
      inFlight: 0,
      cacheRoot,
      user,
      unsynced: false,
    });
    await stage.worker("hosta", {
      MTJOBS_CACHE_ROOT: cacheRoot,
      MTJOBS_USER: user,
      MTJOBS_TEST_THREAD: builtThreadUrl().href,
    });
    await stage.worker("hostb");
  });

  const open = async (query: Record<string, string>) => {
    const { page, offences } = await browser.open(
      `${served.server.url}/request?${new URLSearchParams(query)}`,
    );
    const form = page.getByRole("form", { name: "Request a job" });
    await form.waitFor();
    return { page, form, offences };
  };

  it("reduces, purges and imports while a Megatest client writes: first as a dry run with its runs, and with the command line to copy", async () => {
    const client = await startMegatestClient({
      cacheDb: sample.cacheDb,
      journal: join(served.stage.root, "client.jsonl"),
      everyMs: 20,
      target: { sysname: "ubuntu", fsname: "nfs", datapath: "none" },
      runname: "live",
      testIds: [],
    });
    onTestFinished(() => client.kill());
    const { page, form, offences } = await open({ area });
    await form.getByLabel("Run name").fill("w%");
    await form.getByLabel("Keep the newest").fill("0");
    await expect
      .poll(() => form.locator("code").innerText())
      .toBe(`mtjobs reduce '${area}' --runname w% --keep 0`);
    await form.getByRole("button", { name: "Try it" }).click();
    await form
      .getByText(/6 runs would be moved\. About [\d.]+ [kM]B go from megatest\.db to completed-runs\.db\./)
      .waitFor();
    await form.getByText("The runs").click();
    expect(await form.locator("details ul li").count()).toBe(6);
    // What is typed stands in the address, so that it can be shared and loaded again.
    await page.reload();
    expect(await form.getByLabel("Run name").inputValue()).toBe("w%");
    await form.getByRole("button", { name: "Try it" }).click();
    await form.getByRole("button", { name: "Reduce 6 runs now" }).click();
    await form
      .getByText(
        /6 runs moved\. megatest\.db [\d.]+ [kM]B → [\d.]+ [kM]B, completed-runs\.db 0 B → [\d.]+ [kM]B\./,
      )
      .waitFor();

    await form.locator("select[name=job]").selectOption("purge");
    await form.getByLabel("Directory for the exports").fill(archive);
    await form.getByRole("button", { name: "Try it" }).click();
    await form.getByRole("button", { name: "Purge 6 runs now" }).click();
    await form.getByText("6 runs purged.").waitFor();
    const [file = ""] = exportsIn(archive);

    await form.locator("select[name=job]").selectOption("import");
    await form.getByLabel("Exported file").fill(file);
    await expect.poll(() => form.locator("code").innerText()).toBe(`mtjobs import ${file} '${area}'`);
    await form.getByRole("button", { name: "Try it" }).click();
    await form.getByRole("button", { name: "Import 1 run now" }).click();
    await form.getByText("1 run imported.").waitFor();
    const { writes } = await client.stop();
    expect(writes).toBeGreaterThan(50);
    assertWritesKept(client.acknowledged(), unionOf(sample));
    expect(offences).toEqual([]);
  });

  it("says what is wrong beside the field, and forgets it when the field changes", async () => {
    const { form } = await open({ area, job: "reduce" });
    await form.getByLabel("Older than").fill("thirty");
    await form.getByLabel("Keep the newest").fill("many");
    await form.getByRole("button", { name: "Try it" }).click();
    const age = form.locator("label", { hasText: "Older than" });
    await age.getByText("is not a duration").waitFor();
    expect(await form.getByLabel("Older than").getAttribute("aria-invalid")).toBe("true");
    expect(await form.locator("#problem-keep").count()).toBe(1);
    await form.getByLabel("Older than").fill("30d");
    expect(await age.locator(".bad").count()).toBe(0);
    await form.getByLabel("Keep the newest").fill("");
    await form.getByLabel("Older than").fill("");
    await form.getByRole("button", { name: "Try it" }).click();
    await form.getByRole("alert").getByText("fill in at least one of Target").waitFor();
  });

  it("adds a schedule, and drains a host after its dry run", async () => {
    const repeated = await open({ area, job: "reduce", age: "30d" });
    await repeated.form.getByText("Repeat it").click();
    await repeated.form.getByLabel("Repeat at").fill("0 2 * * *");
    await repeated.form.getByLabel("Name of the schedule").fill("nightly");
    await expect
      .poll(() => repeated.form.locator("code").innerText())
      .toBe(`mtjobs schedule add reduce '${area}' --age 30d --cron '0 2 * * *' --name nightly`);
    await repeated.form.getByRole("button", { name: "Add the schedule" }).click();
    await repeated.form.getByText("it is next due at").waitFor();
    await repeated.form.getByRole("button", { name: "Add the schedule" }).click();
    await repeated.form.getByRole("alert").getByText("already exists").waitFor();

    const { form } = await open({ job: "drain", host: "hosta", whenQuiet: "yes", deadline: "1h" });
    await expect
      .poll(() => form.locator("code").innerText())
      .toBe("mtjobs drain hosta --when-quiet --deadline 1h");
    await form.getByRole("button", { name: "Try it" }).click();
    await form.getByText(/Areas at home there: 1\. Of these|No area is at home on hosta\./).waitFor();
    await form.getByRole("button", { name: "Drain hosta as its areas get quiet" }).click();
    await form.getByText("hosta takes no new areas.").waitFor();
    await form.getByLabel("Wait until the area is quiet").uncheck();
    await form.getByRole("button", { name: "Try it" }).click();
    await form.locator("#problem-deadline", { hasText: "Wait until the area is quiet" }).waitFor();
  });

  it("says of a drain which areas can move, which have moved, and why the others stay", async () => {
    const { stage } = served;
    const [free, busy] = [stage.area("free", "hostd"), stage.area("busy", "hostd")];
    await announce(stage, "hostd", { address: "10.0.0.9" });
    const unlessBusy = (job: Job) =>
      job.data.area === busy
        ? refused(job, [{ name: "tests" as const, ok: false, detail: "2 tests are running" }])
        : migrated(job);
    await withStandIn(stage, "hoste", unlessBusy, async () => {
      const { form, offences } = await open({ job: "drain", host: "hostd", to: "hoste" });
      await form.getByRole("button", { name: "Try it" }).click();
      await form.getByText("Areas at home there: 2. Of these 1 can move, 1 cannot move now.").waitFor();
      await form.getByRole("listitem").filter({ hasText: busy }).getByText("2 tests are running").waitFor();
      await form.getByRole("listitem").filter({ hasText: free }).getByText("can move").waitFor();
      await form.getByRole("button", { name: "Drain hostd now" }).click();
      await form
        .getByText("hostd takes no new areas. Areas at home there: 2. Of these 1 moved, 1 stays.")
        .waitFor();
      expect(offences).toEqual([]);
    });
    const { form } = await open({ job: "drain", host: "hostx" });
    await form.getByRole("button", { name: "Try it" }).click();
    await form.getByRole("alert").getByText("no worker has the name or address hostx").waitFor();
  });
});

import { expect, it } from "vitest";
import { temporaryDirectory, waitFor } from "../support/area.ts";
import { commandEnv, documentOf, endCommand, onQueue, runCommand, serveCommand } from "../support/queue.ts";

it("cancelled jobs and dry runs that failed do not count as failed", () =>
  onQueue(async (stage) => {
    const root = temporaryDirectory();
    await stage.add("hosta", "reduce", { v: 1, area: root, runname: "%", dryRun: true }, { attempts: 1 });
    await stage.add("hosta", "reduce", { v: 1, area: root, runname: "%" }, { attempts: 1 });
    const worker = await serveCommand(stage);
    await waitFor("both to fail", async () => (await stage.queue("hosta").getFailedCount()) === 2);
    await endCommand(worker);
    await stage.cancel("hosta", await stage.enqueue("hosta", stage.area("a1", "hosta"), "later"));
    const status = await runCommand(["status", "--json"], { env: commandEnv(stage) });
    const [host] = documentOf(status).hosts as { counts: Record<string, number> }[];
    expect(host?.counts).toMatchObject({ failed: 1, cancelled: 1, waiting: 0 });
  }));

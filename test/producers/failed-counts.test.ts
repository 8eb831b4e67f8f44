import { Worker } from "bullmq";
import { expect, it } from "vitest";
import { encodeFailure } from "../../shared/contract/failure.ts";
import { JobsError } from "../../shared/errors.ts";
import { temporaryDirectory, waitFor } from "../support/area.ts";
import {
  canStartServer,
  commandEnv,
  documentOf,
  endCommand,
  onQueue,
  type QueueStage,
  runCommand,
  serveCommand,
  withServer,
} from "../support/queue.ts";

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

/** Adds jobs that fail at once: 600 as failed, 300 as cancelled, and 100 dry runs. */
async function failThousand(stage: QueueStage): Promise<void> {
  const queue = stage.queue("hosta");
  const area = `/areas/${"long-name/".repeat(10)}a1`;
  const data = { v: 1, area, requestedBy: "ann@hosta", runname: "%", age: 2_592_000_000 };
  await queue.addBulk(
    Array.from({ length: 1000 }, (_, index) => ({
      name: "reduce",
      data: index < 900 ? data : { ...data, dryRun: true },
      opts: { attempts: 1 },
    })),
  );
  const refusal = new JobsError("pinned", `${area} is pinned to its homehost`, {
    hint: "ask the owner of the area, who may remove the pin from megatest.config",
    details: { area, homehost: "10.0.0.11", holders: Array(5).fill({ pid: 4711, command: "mtest" }) },
  });
  const cancelled = new JobsError("cancelled", 'a user cancelled it: "pinned"');
  const worker = new Worker(
    "host.hosta",
    async ({ id }) => {
      throw new Error(encodeFailure(Number(id) <= 600 || Number(id) > 900 ? refusal : cancelled));
    },
    { connection: { url: stage.url }, prefix: stage.prefix, concurrency: 100 },
  );
  await waitFor("all to fail", async () => (await queue.getFailedCount()) === 1000, { deadline: 30_000 });
  await worker.close();
}

it.skipIf(!canStartServer)("a thousand failed jobs are counted without reading them", () =>
  withServer([], (url) =>
    onQueue(async (stage) => {
      await failThousand(stage);
      const sent = async () =>
        Number(/total_net_output_bytes:(\d+)/.exec(await stage.redis.info("stats"))?.[1]);
      const before = await sent();
      const status = await runCommand(["status", "--json"], { env: commandEnv(stage) });
      const bytes = (await sent()) - before;
      const [host] = documentOf(status).hosts as { counts: Record<string, number> }[];
      expect(host?.counts).toMatchObject({ failed: 600, cancelled: 300 });
      expect(bytes).toBeLessThan(10_000);
    }, url),
  ),
);

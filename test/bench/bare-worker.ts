// BullMQ's worker and nothing else, doing the same jobs on its main thread: `node bare-worker.js ROOT HOST`. Ends on SIGTERM.
import { join } from "node:path";
import { Worker } from "bullmq";
import { waitingConnection } from "../../shared/queue/connections.ts";
import { queueName } from "../../shared/queue/names.ts";
import { resolveSettings } from "../../shared/settings/settings.ts";
import { runJob } from "../../workers/job-thread/job-table.ts";

const [root = "", host = ""] = process.argv.slice(2);
const flags = { host, user: "farm", areas: join(root, "areas"), cacheRoot: join(root, "tmp", host) };
const settings = resolveSettings({ flags, env: process.env });
const patient = waitingConnection(settings.redisUrl);
const worker = new Worker(
  queueName(host),
  async (job) =>
    await runJob("reduce", job.data, {
      jobId: job.id ?? "",
      settings,
      env: process.env,
      triedAgain: false,
      signal: new AbortController().signal,
      log: () => {},
      progress: () => {},
      failpoint: () => {},
    }),
  { connection: patient.connection, prefix: settings.prefix },
);
await worker.waitUntilReady();
process.stdout.write("ready\n");
process.on("SIGTERM", () => {
  void worker.close().then(() => patient.close());
});

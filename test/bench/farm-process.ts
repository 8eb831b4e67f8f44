// Several hosts' workers in one process: `node farm-process.js ROOT HOST…`. Ends on SIGTERM.
import { join } from "node:path";
import { createLog } from "../../shared/log.ts";
import { resolveSettings } from "../../shared/settings.ts";
import { HostWorker } from "../../workers/worker.ts";

const [root = "", ...hosts] = process.argv.slice(2);
const workers = hosts.map((host) => {
  const flags = { host, user: "farm", areas: join(root, "areas"), cacheRoot: join(root, "tmp", host) };
  const settings = resolveSettings({ flags, env: process.env });
  return new HostWorker(settings, createLog({ host, logLevel: "error" }));
});
for (const worker of workers) await worker.start();
process.stdout.write("ready\n");
process.on("SIGTERM", () => void Promise.all(workers.map((worker) => worker.stop())));

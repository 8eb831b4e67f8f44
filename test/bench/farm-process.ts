// Several hosts' workers in one process: `node farm-process.js ROOT HOST…`. Ends on SIGTERM.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createLog } from "../../shared/settings/log.ts";
import { resolveSettings } from "../../shared/settings/settings.ts";
import { HostWorker } from "../../workers/host/host-worker.ts";

/** As a manager of services starts it again: on a machine that many workers start on, Redis may be answered too late. */
const tries = 60;

const [root = "", ...hosts] = process.argv.slice(2);

async function start(host: string): Promise<HostWorker> {
  const flags = { host, user: "farm", areas: join(root, "areas"), cacheRoot: join(root, "tmp", host) };
  const settings = resolveSettings({ flags, env: process.env });
  for (let left = tries; ; left--) {
    const worker = new HostWorker(settings, createLog({ host, logLevel: "error" }));
    try {
      await worker.start();
      return worker;
    } catch (error) {
      if (left === 1) throw error;
      await sleep(1000);
    }
  }
}

const workers: HostWorker[] = [];
for (const host of hosts) workers.push(await start(host));
process.stdout.write("ready\n");
process.on("SIGTERM", () => void Promise.all(workers.map((worker) => worker.stop())));

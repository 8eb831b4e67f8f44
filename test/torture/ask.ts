import { MtJobs } from "../../producers/mtjobs.ts";
import { resolveSettings } from "../../shared/settings.ts";
import type { HostName } from "../support/two-hosts.ts";
import type { World } from "./world.ts";

const elsewhere = () => Promise.reject(new Error("not here"));

/** Somebody's library on a host, while `work` lasts. */
export async function asked<T>(
  world: World,
  host: HostName,
  work: (mtjobs: MtJobs) => Promise<T>,
): Promise<T> {
  const { url, prefix } = world.hosts.stage;
  const flags = {
    ...{ redisUrl: url, prefix, host, user: "ann" },
    ...{ areas: world.directoryOf("areas"), cacheRoot: world.hosts.cacheRoot(host) },
    address: world.hosts.addressOf(host),
  };
  const deps = { env: {}, cwd: "/", runInline: elsewhere, runRepair: elsewhere };
  const mtjobs = new MtJobs(resolveSettings({ flags }), deps);
  try {
    return await work(mtjobs);
  } finally {
    await mtjobs.close();
  }
}

/** Asks for every area of a host to move away from it. Nobody waits for the end. */
export async function drain(world: World, host: HostName): Promise<void> {
  await asked(
    world,
    host,
    async (mtjobs) => await mtjobs.drain(host, { whenQuiet: true, deadline: "10s", quietFor: 0, now: true }),
  );
}

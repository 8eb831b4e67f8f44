import { MtJobs } from "../../entry/library.ts";
import type { HostName } from "../support/hosts.ts";
import type { World } from "./world.ts";

/** Somebody's library on a host, while `work` lasts. */
export async function asked<T>(
  world: World,
  host: HostName,
  work: (mtjobs: MtJobs) => Promise<T>,
): Promise<T> {
  const { url, prefix } = world.hosts.stage;
  const mtjobs = new MtJobs({
    ...{ redisUrl: url, prefix, host, address: world.hosts.addressOf(host), user: "ann" },
    ...{ areas: [world.directoryOf("areas")], cacheRoot: world.hosts.cacheRoot(host) },
  });
  try {
    return await work(mtjobs);
  } finally {
    await mtjobs.close();
  }
}

/** Asks for every area of a host to move away from it. It does not wait for the end. */
export async function drain(world: World, host: HostName): Promise<void> {
  await asked(
    world,
    host,
    async (mtjobs) => await mtjobs.drain(host, { whenQuiet: true, deadline: "10s", quietFor: 0, now: true }),
  );
}

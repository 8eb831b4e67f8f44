import { join } from "node:path";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { type HostName, type Hosts, homeHostOf, type Link, onHosts, openLink } from "../support/hosts.ts";
import {
  type EmulatedClient,
  type EmulatedServer,
  mayMount,
  mountFor,
  type OwnServer,
  unmountAll,
  type WorkerProcess,
  withServer,
} from "../support/queue.ts";
import { hostNames, runsPerArea, type Where } from "./plan.ts";

/** Room in each file system: its areas or caches, and a snapshot on the way. */
const megabytes = 64;

/** Three hosts with their workers, a Redis of their own with a cable to each, and file systems that may fail. */
export class World {
  readonly hosts: Hosts;
  readonly redis: OwnServer;
  readonly areas: SampleArea[];
  readonly links: Record<HostName, Link>;
  readonly workers = new Map<HostName, WorkerProcess>();
  /** Processes of Megatest that are at work. */
  clients: EmulatedClient[] = [];
  servers: EmulatedServer[] = [];
  /** Root alone may make file systems that fail. */
  readonly hasMounts = mayMount();

  constructor(hosts: Hosts, redis: OwnServer, links: Record<HostName, Link>, areas: number) {
    this.hosts = hosts;
    this.redis = redis;
    this.links = links;
    if (this.hasMounts) for (const where of this.places()) mountFor(where, megabytes);
    this.areas = Array.from({ length: areas }, () =>
      hosts.area({ runs: runsPerArea, testsPerRun: 4, stepsPerTest: 2, dataPerTest: 1 }),
    );
  }

  places(): string[] {
    return (["areas", ...hostNames] as const).map((where) => this.directoryOf(where));
  }

  directoryOf(where: Where): string {
    return where === "areas" ? join(this.hosts.stage.root, "areas") : this.hosts.cacheRoot(where);
  }

  /** @throws RangeError */
  area(index: number): SampleArea {
    const area = this.areas[index];
    if (area === undefined) throw new RangeError(`there is no area ${index}`);
    return area;
  }

  /** An area as it is seen from the host that `.homehost` names. */
  atHome(area: SampleArea): SampleArea {
    return this.hosts.seenFrom(area, homeHostOf(area));
  }

  /** Starts a host's worker on its own cable. */
  async start(host: HostName, env: Record<string, string> = {}): Promise<void> {
    const own = { MTJOBS_REDIS_URL: `redis://127.0.0.1:${this.links[host].port}`, ...env };
    this.workers.set(host, await this.hosts.startManaged(host, "", own));
  }

  async kill(host: HostName): Promise<void> {
    const worker = this.workers.get(host);
    worker?.child.kill("SIGKILL");
    await worker?.exited;
  }

  /** Returns the last output of the workers, for a failure's message. */
  workerLogs(): [string, string][] {
    return [...this.workers].map(([host, worker]) => [host, worker.stderr().slice(-4000)]);
  }
}

/** Runs `body` in a world of its own. */
export async function inWorld(areas: number, body: (world: World) => Promise<void>): Promise<void> {
  await withServer([], async (url, redis) => {
    const port = Number(new URL(url).port);
    const opened = await Promise.all(hostNames.map(async (host) => [host, await openLink(port)] as const));
    const links = Object.fromEntries(opened) as Record<HostName, Link>;
    try {
      await onHosts(async (hosts) => {
        let world: World | undefined;
        try {
          world = new World(hosts, redis, links, areas);
          await body(world);
        } finally {
          await Promise.all([...(world?.clients ?? []), ...(world?.servers ?? [])].map((one) => one.kill()));
          if (world?.hasMounts) for (const place of world.places()) unmountAll(place);
        }
      }, url);
    } finally {
      for (const link of Object.values(links)) link.remove();
    }
  });
}

import { join } from "node:path";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { waitFor } from "../area/wait-for.ts";
import { type Link, openLink } from "../hosts/link.ts";
import { type Hosts, onHosts } from "../hosts/two-hosts.ts";
import { isStopped } from "../queue/kill.ts";
import { mountFor, unmountAll } from "../queue/mount-small.ts";
import { type OwnServer, withServer } from "../queue/own-redis.ts";
import type { WorkerProcess } from "../queue/queue-stage.ts";

export const sides = { old: "host-a", new: "host-b" } as const;
export type Side = keyof typeof sides;

/** Size of each test file system: an area, its snapshot and a reserve. */
const megabytes = 16;

/** Two hosts, each with its own file systems and its own link to a private Redis. */
export class FaultHosts {
  readonly hosts: Hosts;
  readonly redis: OwnServer;
  readonly links: Record<Side, Link>;
  readonly area: SampleArea;
  readonly workers: Partial<Record<Side, WorkerProcess>> = {};
  #failpoints: Record<Side, string> = { old: "", new: "" };

  constructor(hosts: Hosts, redis: OwnServer, links: Record<Side, Link>) {
    this.hosts = hosts;
    this.redis = redis;
    this.links = links;
    for (const place of this.places()) mountFor(place, megabytes);
    this.area = hosts.area({ runs: 3, testsPerRun: 3 });
  }

  places(): string[] {
    return [this.areasRoot, this.cacheRoot("old"), this.cacheRoot("new")];
  }

  get areasRoot(): string {
    return join(this.hosts.stage.root, "areas");
  }

  cacheRoot(side: Side): string {
    return this.hosts.cacheRoot(sides[side]);
  }

  async start(side: Side, failpoint = ""): Promise<WorkerProcess> {
    this.#failpoints[side] = failpoint;
    const env = {
      MTJOBS_REDIS_URL: `redis://127.0.0.1:${this.links[side].port}`,
      // Long enough to write to the old cache after the home has moved.
      MTJOBS_TEST_TIMES: JSON.stringify({ settleMs: 1500, roundMs: 3000 }),
    };
    const worker = await this.hosts.startManaged(sides[side], failpoint, env);
    this.workers[side] = worker;
    return worker;
  }

  async kill(side: Side): Promise<void> {
    this.workers[side]?.child.kill("SIGKILL");
    await this.workers[side]?.exited;
  }

  signal(side: Side, signal: "SIGSTOP" | "SIGCONT"): void {
    this.workers[side]?.child.kill(signal);
  }

  async stopped(side: Side): Promise<void> {
    await waitFor(`${this.#failpoints[side]} on ${side}`, () => isStopped(this.workers[side]?.child.pid), {
      deadline: 60_000,
      state: () => this.workerLogs(),
    });
  }

  /** Continues workers that a failpoint stops again in the next thread. Returns a function that ends this. */
  keepAwake(): () => void {
    const timer = setInterval(() => {
      for (const side of ["old", "new"] as const)
        if (isStopped(this.workers[side]?.child.pid)) this.signal(side, "SIGCONT");
    }, 50);
    return () => clearInterval(timer);
  }

  /** Returns the last output of both workers, for a failure's message. */
  workerLogs(): [string, string][] {
    return Object.entries(this.workers).map(([side, worker]) => [side, worker.stderr().slice(-3000)]);
  }
}

/** Runs `body` with two hosts; needs root on Linux and a Redis server program. */
export async function onFaultHosts(body: (stage: FaultHosts) => Promise<void>): Promise<void> {
  await withServer([], async (url, redis) => {
    const port = Number(new URL(url).port);
    const links = { old: await openLink(port), new: await openLink(port) };
    try {
      await onHosts(async (hosts) => {
        let stage: FaultHosts | undefined;
        try {
          stage = new FaultHosts(hosts, redis, links);
          await body(stage);
        } finally {
          for (const place of stage?.places() ?? []) unmountAll(place);
        }
      }, url);
    } finally {
      links.old.remove();
      links.new.remove();
    }
  });
}

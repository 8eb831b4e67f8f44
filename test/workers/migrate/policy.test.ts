import { appendFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { openArea } from "../../../shared/area/area.ts";
import type { MigrationState } from "../../../shared/contract/migration-row.ts";
import { openQueue } from "../../../shared/queue/connections.ts";
import { setDrained } from "../../../shared/queue/hosts.ts";
import { resolveSettings } from "../../../shared/settings/settings.ts";
import type { WorkerContext } from "../../../workers/jobs/worker-context.ts";
import { type PreferredArea, preferredArea } from "../../../workers/migrate/steps/preferred-areas.ts";
import { enqueuePreferred } from "../../../workers/periodic/reconciler.ts";
import { newArea, waitFor } from "../../support/area.ts";
import { onHosts } from "../../support/hosts.ts";
import { announce, onQueue, type QueueStage } from "../../support/queue.ts";

const policy = { prefer: ["host-b", "10.9.0.1"], migrate: "auto", quietForMs: 1_800_000 } as const;

function areaWith(config: string): SampleArea {
  const area = newArea({ runs: 1, testsPerRun: 1 });
  appendFileSync(join(area.directory, "megatest.config"), `\n[homehost]\n${config}\n`);
  const hourAgo = Date.now() / 1000 - 3600;
  utimesSync(area.megatestDb, hourAgo, hourAgo);
  return area;
}

function preferredOf(area: SampleArea, last?: { state: MigrationState; changed_at: number }) {
  const settings = resolveSettings({ flags: { host: "host-b", address: "10.9.0.2" } });
  return preferredArea(openArea(area.directory), async () => last, { settings });
}

describe("a worker on its rounds", () => {
  it("wishes for a quiet area that prefers its host, and for no other", async () => {
    const wanted = areaWith("prefer host-b\nmigrate auto");
    expect(await preferredOf(wanted)).toMatchObject({
      area: wanted.directory,
      home: "host-a",
      self: ["host-b", "10.9.0.2"],
    });
    expect(await preferredOf(areaWith("prefer host-b"))).toBeUndefined();
    expect(await preferredOf(areaWith("prefer host-a,host-b\nmigrate auto"))).toBeUndefined();
    expect(await preferredOf(areaWith("prefer host-b\nmigrate auto\nquiet-for 2h"))).toBeUndefined();
  });

  it("wishes for none that has moved, or failed to, within a day, or is on its way", async () => {
    const area = areaWith("prefer host-b\nmigrate auto");
    const ago = (hours: number) => Date.now() - hours * 3_600_000;
    expect(await preferredOf(area, { state: "settled", changed_at: ago(23) })).toBeUndefined();
    expect(await preferredOf(area, { state: "undone", changed_at: ago(23) })).toBeUndefined();
    expect(await preferredOf(area, { state: "switched", changed_at: ago(48) })).toBeUndefined();
    expect(await preferredOf(area, { state: "settled", changed_at: ago(25) })).toMatchObject({
      home: "host-a",
    });
  });

  it("asks once, for as long as a round, unless it is drained, or the home is preferred or has no worker", () =>
    onQueue(async (stage) => {
      const preferred: PreferredArea = {
        ...{ area: "/areas/a1", home: "10.9.0.3", self: ["host-b"], sinceLastMs: undefined },
        policy: { ...policy, prefer: [...policy.prefer] },
      };
      const asked = () => jobsAt(stage, "host-b");
      const ask = (more: Partial<PreferredArea> = {}) =>
        enqueuePreferred(hostB(stage), [{ ...preferred, ...more }], 600_000);
      await ask();
      expect(await asked()).toEqual([]);
      await announce(stage, "host-a", { address: "10.9.0.1" });
      await announce(stage, "host-c", { address: "10.9.0.3" });
      await ask({
        home: "host-a",
        self: ["host-x"],
        policy: { ...preferred.policy, prefer: ["10.9.0.1", "host-x"] },
      });
      await setDrained(stage.redis, stage.prefix, "host-b", "ann@host-a");
      await ask();
      expect(await asked()).toEqual([]);
      await stage.redis.del(`${stage.prefix}:drained`);
      await ask();
      await ask();
      expect(await asked()).toMatchObject([
        {
          ...{ area: "/areas/a1", to: "host-b", from: "10.9.0.3", requestedBy: "policy@host-b" },
          ...{ whenQuiet: true, quietFor: 1_800_000, deadline: 600_000 },
        },
      ]);
    }));

  it("requests on its first round an area that prefers its host, without another request", () =>
    onHosts(async (hosts) => {
      const area = hosts.area();
      const config = join(area.directory, "megatest.config");
      appendFileSync(config, "\n[homehost]\nprefer host-b\nmigrate auto\nquiet-for 0s\n");
      await hosts.start("host-a");
      await hosts.start("host-b");
      const asked = await waitFor(
        "host-b to ask for the area",
        async () => {
          const jobs = await jobsAt(hosts.stage, "host-b");
          return jobs.length > 0 && jobs;
        },
        { deadline: 30_000 },
      );
      expect(asked).toMatchObject([{ area: area.directory, to: "host-b", requestedBy: "policy@host-b" }]);
    }));
});

function hostB(stage: QueueStage): WorkerContext {
  const flags = { host: "host-b", redisUrl: stage.url, prefix: stage.prefix };
  const log = { info: () => {} } as unknown as WorkerContext["log"];
  return { redis: stage.redis, settings: resolveSettings({ flags }), log } as WorkerContext;
}

async function jobsAt(stage: QueueStage, host: string): Promise<unknown[]> {
  const queue = openQueue(stage.redis, stage, host);
  try {
    return (await queue.getJobs()).map(({ data }) => data as unknown);
  } finally {
    await queue.close();
  }
}

// Mostly waits: run beside others.
import { describe, expect, it, vi } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { decodeFailure } from "../../shared/contract/failure.ts";
import { assertNothingLost, casesOf, waitFor } from "../support/area.ts";
import {
  type HostName,
  type Hosts,
  homeOf,
  isClosed,
  letLeaseRunOut,
  migrationRow,
  onHosts,
  unionAt,
} from "../support/hosts.ts";
import { isStopped } from "../support/queue.ts";

// Several workers come and go, and a dead one's job is taken up only after its lock has run out.
vi.setConfig({ testTimeout: 150_000 });

function assertHome(
  hosts: Hosts,
  area: SampleArea,
  host: HostName,
  before: ReturnType<typeof unionAt>,
): void {
  const there = hosts.seenFrom(area, host);
  expect(homeOf(area)).toBe(`${there.host}\n`);
  assertNothingLost(before, unionAt(there));
  expect([isClosed(there.cacheDb), isClosed(there.refDb)]).toEqual([false, false]);
}

describe("a migration whose worker", () => {
  it.each(
    casesOf(
      [
        { side: "old", host: "host-a", step: "old-cache-closed" },
        { side: "new", host: "host-b", step: "home-written" },
      ] as const,
      1,
    ),
  )("on the $side home is killed at $step goes on once it is started again", ({ host, step }) =>
    onHosts(async (hosts) => {
      const area = hosts.area();
      const before = unionAt(area);
      const workers = await Promise.all(
        (["host-a", "host-b"] as const).map((name) => hosts.start(name, name === host ? `${step}=kill` : "")),
      );
      const id = await hosts.migrate(area, "host-b");
      expect(await workers[host === "host-a" ? 0 : 1]?.exited).toBe("SIGKILL");
      await hosts.start(host);
      const { returnvalue } = await hosts.migrated("host-b", id);
      expect(returnvalue).toMatchObject({ outcome: "migrated", token: 1 });
      assertHome(hosts, area, "host-b", before);
    }),
  );

  it("on the old home is paused beyond its lease commits nothing when it wakes, and the area is as before", () =>
    onHosts(async (hosts) => {
      const area = hosts.area();
      const before = unionAt(area);
      await hosts.start("host-b");
      const paused = await hosts.start("host-a", "old-ref-closed=stop");
      const id = await hosts.migrate(area, "host-b");
      await waitFor("the worker to stop", () => isStopped(paused.child.pid), {
        deadline: 40_000,
        state: paused.stderr,
      });
      letLeaseRunOut(area);
      const other = await hosts.start("host-a");
      await hosts.settled(area, "undone", other);
      paused.child.kill("SIGCONT");
      const job = await hosts.end("host-b", id);
      expect(decodeFailure(job.failedReason ?? "").code).toBe("rolled-back");
      expect(migrationRow(area)).toMatchObject({ state: "undone" });
      assertHome(hosts, area, "host-a", before);
    }));
});

// Mostly waits: run beside others.
import { existsSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { decodeFailure } from "../../shared/contract/failure.ts";
import { findHost } from "../../shared/queue/hosts.ts";
import { builtThreadUrl } from "../../workers/job-thread/job-threads.ts";
import { assertNothingLost, testRoot, waitFor } from "../support/area.ts";
import {
  HostNamespace,
  homeOf,
  isClosed,
  mayMakeHosts,
  onHosts,
  openLink,
  unionAt,
} from "../support/hosts.ts";
import { canStartServer } from "../support/queue.ts";

// Two workers are started, an area moves twice, and one of them is taken for dead in between.
vi.setConfig({ testTimeout: 180_000 });

// Reason to skip: only root on Linux may make network, mount and name spaces, and a /tmp of its own hides what lies there.
describe.runIf(canStartServer && mayMakeHosts(testRoot()))(
  "on hosts with a name, an address and a /tmp of their own",
  () => {
    it("an area moves by the defaults, not from one whose cable is out, and back when it is in again", () =>
      onHosts(async (hosts) => {
        const { stage } = hosts;
        const machines = (["host-a", "host-b"] as const).map((name) => new HostNamespace(name, stage.root));
        const [old, other] = machines as [HostNamespace, HostNamespace];
        const target = Number(new URL(stage.url).port);
        const links = await Promise.all(machines.map(({ gateway }) => openLink(target, gateway)));
        try {
          const user = userInfo().username;
          const area = hosts.area({ user, host: old.address });
          const before = unionAt(area);
          await Promise.all(
            machines.map((machine, at) =>
              machine.start({
                MTJOBS_REDIS_URL: `redis://${machine.gateway}:${links[at]?.port}`,
                MTJOBS_PREFIX: stage.prefix,
                MTJOBS_AREAS: join(stage.root, "areas"),
                MTJOBS_TEST_THREAD: builtThreadUrl().href,
                MTJOBS_TEST_TIMES: JSON.stringify({ settleMs: 300, roundMs: 3000 }),
              }),
            ),
          );
          await hosts.migrated("host-b", await hosts.migrate(area, "host-b"));
          expect(homeOf(area)).toBe(`${other.address}\n`);
          const there = hosts.pairOn(area, "host-b");
          expect([existsSync(there.cacheDb), isClosed(there.cacheDb), isClosed(area.cacheDb)]).toEqual([
            true,
            false,
            true,
          ]);

          other.link("down");
          const isAlive = async () => (await findHost(stage.redis, stage.prefix, "host-b"))?.alive === true;
          await waitFor("host-b to be missed", async () => !(await isAlive()), { deadline: 40_000 });
          const refused = await hosts.end("host-a", await hosts.migrate(area, "host-a"));
          expect(decodeFailure(refused.failedReason ?? "").code).toBe("unfit-host");
          expect(homeOf(area)).toBe(`${other.address}\n`);

          other.link("up");
          await waitFor("host-b to be back", isAlive, { deadline: 60_000 });
          await hosts.migrated("host-a", await hosts.migrate(area, "host-a"));
          expect([homeOf(area), isClosed(area.cacheDb)]).toEqual([`${old.address}\n`, false]);
          assertNothingLost(before, unionAt(area));
        } finally {
          for (const machine of machines) machine.remove();
          for (const link of links) link.remove();
        }
      }));
  },
);

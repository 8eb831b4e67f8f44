import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { assertNothingLost, openAsMegatest, realShapeArea, refill, syncOnce } from "../../support/area.ts";
import { type Hosts, homeOf, onHosts, unionAt } from "../../support/hosts.ts";
import { runReduce } from "../../support/queue.ts";

/** An area in the shape of a real one, at home on host-a. */
const realAreaOn = (hosts: Hosts, stage: 1 | 2) =>
  realShapeArea(stage, {
    directory: join(hosts.stage.root, "areas", "q1"),
    cacheRoot: hosts.cacheRoot("host-a"),
    user: "ann",
    host: hosts.addressOf("host-a"),
  });

describe("a migration of an area in the shape of a real one", () => {
  it("takes every row along, also what no sync has carried and what has moved, and leaves nothing to sync or to refill", () =>
    onHosts(async (hosts) => {
      const area = realAreaOn(hosts, 1);
      await runReduce(area, { runname: undefined, runId: [5] });
      const before = unionAt(area);
      await hosts.start("host-a");
      await hosts.start("host-b");
      for (const to of ["host-b", "host-a"] as const) {
        const id = await hosts.migrate(area, to);
        expect((await hosts.migrated(to, id)).returnvalue).toMatchObject({
          outcome: "migrated",
          source: "cache",
        });
        const there = { ...hosts.seenFrom(area, to), syncsLastUpdate: true };
        expect(homeOf(area)).toBe(`${there.host}\n`);
        assertNothingLost(before, unionAt(there));
        expect(await openAsMegatest(there)).toBeNull();
        expect({ ...(await syncOnce(there, { quietMs: 0 })).rows, ...(await refill(there)) }).toEqual({});
      }
    }));
});

import { describe, expect, it } from "vitest";
import { assertNothingLost } from "../../support/oracle/assert-nothing-lost.ts";
import { homeOf, isClosed, migrationRow, onHosts, unionAt } from "../../support/two-hosts.ts";

describe("a planned migration", () => {
  it("makes the host that was asked for the home, with every row, and closes the old cache", () =>
    onHosts(async (hosts) => {
      const area = hosts.area();
      const before = unionAt(area);
      await hosts.start("host-a");
      await hosts.start("host-b");
      const id = await hosts.migrate(area, "host-b");
      const { returnvalue } = await hosts.migrated("host-b", id);
      console.log(JSON.stringify(returnvalue), await hosts.stage.story("host-b", id));
      expect(returnvalue).toMatchObject({ outcome: "migrated", fromHost: "host-a", toHost: "host-b" });
      expect(homeOf(area)).toBe("10.9.0.2\n");
      const there = hosts.seenFrom(area, "host-b");
      assertNothingLost(before, unionAt(there));
      expect([isClosed(area.cacheDb), isClosed(area.refDb)]).toEqual([true, true]);
      expect([isClosed(there.cacheDb), isClosed(there.refDb)]).toEqual([false, false]);
      expect(migrationRow(area)).toMatchObject({ state: "settled" });
    }));
});

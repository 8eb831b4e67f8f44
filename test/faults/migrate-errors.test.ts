import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import type { FailpointName } from "../../workers/area-db/failpoint-names.ts";
import { assertNothingLost, temporaryDirectory } from "../support/area.ts";
import {
  addresses,
  buildForTwo,
  homeOf,
  isClosed,
  migrateByHand,
  migrationRow,
  type RunOptions,
  reconcileBoth,
  type Side,
  seenFromSide,
  unionAt,
} from "../support/hosts.ts";
import { mayMount, mountSmall } from "../support/queue.ts";

/** One of each kind: a kill at every step is tested beside this. */
const steps = [
  "migration-begun",
  "old-cache-closed",
  "migration-closed",
  "pair-installed",
  "intent-committed",
  "home-renamed",
  "pair-opened",
] as const satisfies readonly FailpointName[];
const afterCommit: readonly FailpointName[] = ["home-renamed", "pair-opened"];

function assertHome(area: SampleArea, root: string, home: Side, before: ReturnType<typeof unionAt>): void {
  expect(homeOf(area)).toBe(`${addresses[home]}\n`);
  const at = seenFromSide(area, root, home);
  expect([at.cacheDb, at.refDb].map(isClosed)).toEqual([false, false]);
  const other = seenFromSide(area, root, home === "old" ? "new" : "old");
  if (existsSync(other.cacheDb)) expect(isClosed(other.cacheDb)).toBe(true);
  assertNothingLost(before, unionAt(at));
}

/** Fails once, with the error of a full disk, as a step has taken effect. */
function failOnce(step: FailpointName): RunOptions["failpoint"] & object {
  let failed = false;
  return (name) => {
    if (name !== step || failed) return;
    failed = true;
    throw Object.assign(new Error(`no space at ${step}`), { code: "ENOSPC" });
  };
}

describe("a migration in which something fails", () => {
  it.each(steps)("at %s is undone at once before .homehost changes, and goes on after that", async (step) => {
    const { area, place } = buildForTwo(temporaryDirectory());
    const before = unionAt(area);
    const o = { ...place, jobId: "migrate-1", failpoint: failOnce(step) };
    const error: unknown = await migrateByHand(o).catch((thrown: unknown) => thrown);
    if (afterCommit.includes(step)) {
      // As the queue does with what may pass.
      if (error !== undefined) await migrateByHand(o);
    } else {
      expect(error).toBeInstanceOf(Error);
      // No lease has to expire.
      await reconcileBoth(o);
      expect(migrationRow(area)).toMatchObject({ state: "undone", reason: expect.stringContaining(step) });
      assertHome(area, place.root, "old", before);
      await migrateByHand({ ...place, jobId: "migrate-2" });
    }
    expect(migrationRow(area)).toMatchObject({ state: "settled" });
    assertHome(area, place.root, "new", before);
  });

  it.runIf(mayMount())(
    "for want of room on the new home is undone, and works once there is some",
    async () => {
      const root = temporaryDirectory();
      const { area, place } = buildForTwo(root, { runs: 40, testsPerRun: 40 });
      const before = unionAt(area);
      mountSmall(join(root, "tmp-new"), 1);
      await expect(migrateByHand({ ...place, jobId: "migrate-1" })).rejects.toMatchObject({
        code: "rolled-back",
      });
      await reconcileBoth({ ...place, jobId: "migrate-1" });
      expect(migrationRow(area)).toMatchObject({ state: "undone" });
      assertHome(area, root, "old", before);
    },
  );
});

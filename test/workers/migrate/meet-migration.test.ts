import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parsePayload } from "../../../shared/contract/payload.ts";
import { runJob } from "../../../workers/job-thread/job-table.ts";
import { reconcile } from "../../../workers/migrate/steps/reconcile.ts";
import { addRunIn, assertNothingLost, temporaryDirectory } from "../../support/area.ts";
import {
  addresses,
  buildForTwo,
  closeByHand,
  contextOn,
  homeOf,
  isClosed,
  leaveAt,
  letLeaseRunOut,
  migrateByHand,
  migrationRow,
  type Place,
  reconcileBoth,
  seenFromSide,
  switchByHand,
  unionAt,
} from "../../support/hosts.ts";

async function reconcileOn(side: "old" | "new", place: Place, givenUp?: string) {
  const payload = { v: 1, area: place.area, requestedBy: "rounds", step: "tend" } as const;
  const more = givenUp === undefined ? {} : { givenUp };
  return await reconcile({ ...payload, ...more }, contextOn(side, { ...place, jobId: "tend-1" }));
}

async function reduceOn(side: "old" | "new", place: Place, runname = "none") {
  const payload = parsePayload("reduce", { v: 1, area: place.area, runname, compact: "never" });
  return await runJob("reduce", payload, contextOn(side, { ...place, jobId: `reduce-${side}` }));
}

describe("a job on an area whose migration no worker continues", () => {
  it.each(["migration-closed", "migration-installed", "intent-committed"] as const)(
    "is put off while it may be taken up at %s, then undoes it and does its own work",
    async (step) => {
      const { area, place } = buildForTwo(temporaryDirectory());
      const before = unionAt(area);
      await leaveAt(step, place);
      await expect(reduceOn("old", place)).rejects.toMatchObject({ code: "locked" });
      letLeaseRunOut(area);
      expect(await reduceOn("old", place)).toMatchObject({ state: "completed" });
      expect([area.cacheDb, area.refDb].map(isClosed)).toEqual([false, false]);
      expect(migrationRow(area)).toMatchObject({ state: "undoing", old_ready: 1 });
      await reconcileBoth({ ...place, jobId: "migrate-1" });
      expect(migrationRow(area)).toMatchObject({ state: "undone" });
      assertNothingLost(before, unionAt(area));
    },
  );

  it("on the new home opens the pair that a dead switch left closed", async () => {
    const { area, place } = buildForTwo(temporaryDirectory());
    const before = unionAt(area);
    await leaveAt("migration-switched", place);
    letLeaseRunOut(area);
    await expect(reduceOn("old", place)).rejects.toMatchObject({ code: "not-home" });
    expect(await reduceOn("new", place)).toMatchObject({ state: "completed" });
    const there = seenFromSide(area, place.root, "new");
    expect([there.cacheDb, there.refDb].map(isClosed)).toEqual([false, false]);
    assertNothingLost(before, unionAt(there));
  });

  it("on the old home is refused with both addresses though .homehost names it again", async () => {
    const { area, place } = buildForTwo(temporaryDirectory());
    await leaveAt("migration-switched", place);
    letLeaseRunOut(area);
    writeFileSync(join(area.directory, ".homehost"), `${addresses.old}\n`);
    await expect(reduceOn("old", place)).rejects.toMatchObject({
      code: "not-home",
      message: expect.stringContaining(`is not the homehost of ${area.directory}: ${addresses.new} is`),
      hint: expect.stringMatching(
        new RegExp(
          `run the job on ${addresses.new}: .*\\(${addresses.old}\\); .*MTJOBS_ADDRESS=${addresses.new}`,
        ),
      ),
      details: { homehost: addresses.new, address: addresses.old },
    });
  });

  it("opens the closed cache of a host that the operator wrote into .homehost, with what it lacks", async () => {
    const { area, place } = buildForTwo(temporaryDirectory());
    await migrateByHand({ ...place, jobId: "migrate-1" });
    addRunIn(seenFromSide(area, place.root, "new"), ["cache", "ref", "area"], "meanwhile");
    const before = unionAt(seenFromSide(area, place.root, "new"));
    writeFileSync(join(area.directory, ".homehost"), `${addresses.old}\n`);
    expect(await reduceOn("old", place)).toMatchObject({ state: "completed" });
    expect([area.cacheDb, area.refDb].map(isClosed)).toEqual([false, false]);
    assertNothingLost(before, unionAt(area), { anyLastUpdate: true });
  });
});

describe("a migration that stands in closing while its lease lives", () => {
  it("is left to the worker that runs it, and undone once its job reports that none does", async () => {
    const { area, place } = buildForTwo(temporaryDirectory());
    const before = unionAt(area);
    await leaveAt("old-cache-closed", place);
    expect(await reconcileOn("old", place)).toMatchObject({ did: [] });
    expect(await reconcileOn("old", place, "migrate-2")).toMatchObject({ did: [] });
    expect(isClosed(area.cacheDb)).toBe(true);
    expect(await reconcileOn("old", place, "migrate-1")).toMatchObject({
      did: ["decide", "open-old", "finish-undo"],
    });
    expect([isClosed(area.cacheDb), migrationRow(area)?.state]).toEqual([false, "undone"]);
    assertNothingLost(before, unionAt(area));
  });
});

describe("a step of a migration that has been undone", () => {
  it.each([closeByHand, switchByHand])("delays no other job when it wakes: %o", async (localStep) => {
    const { area, place } = buildForTwo(temporaryDirectory());
    await leaveAt("migration-closed", place);
    letLeaseRunOut(area);
    await reconcileBoth({ ...place, jobId: "migrate-1" });
    expect(migrationRow(area)?.state).toBe("undone");
    await expect(localStep({ ...place, jobId: "migrate-1" })).rejects.toMatchObject({ code: "rolled-back" });
    expect(await reduceOn("old", place)).toMatchObject({ state: "completed" });
  });
});

describe("a migration beside another one that is not finished", () => {
  it("is refused, and neither is harmed", async () => {
    const { area, place } = buildForTwo(temporaryDirectory());
    await leaveAt("migration-closed", place);
    letLeaseRunOut(area);
    const second = { ...place, jobId: "migrate-2" };
    await expect(migrateByHand(second)).rejects.toMatchObject({ code: "conflict" });
    await reconcileBoth({ ...place, jobId: "migrate-1" });
    expect([homeOf(area), migrationRow(area)?.state]).toEqual([`${addresses.old}\n`, "undone"]);
    expect(isClosed(area.cacheDb)).toBe(false);
  });
});

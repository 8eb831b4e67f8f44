import { existsSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it, vi } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { openArea } from "../../../shared/area/area.ts";
import type { MigratePayload } from "../../../shared/contract/migrate-payload.ts";
import { parsePayload } from "../../../shared/contract/payload.ts";
import { oldHomeActivity } from "../../../workers/migrate/checks/in-use.ts";
import { baseFile } from "../../../workers/migrate/state/migration-files.ts";
import { checkTarget } from "../../../workers/migrate/steps/check-target.ts";
import { removeOldPairs } from "../../../workers/migrate/steps/remove-old-pairs.ts";
import {
  assertNothingLost,
  edit,
  keptVersions,
  readColumn,
  temporaryDirectory,
  waitFor,
} from "../../support/area.ts";
import {
  addresses,
  buildForTwo,
  contextOn,
  homeOf,
  isClosed,
  leaveAt,
  letLeaseRunOut,
  migrateByHand,
  migrationRow,
  reconcileBoth,
  seenFromSide,
  takeOverByHand,
  unionAt,
} from "../../support/hosts.ts";
import { historyOf, holdOpen, openToWrite, runReduce } from "../../support/queue.ts";

/** Of the migrations of an area, the first one first. */
function statesOf(area: SampleArea): unknown[] {
  const db = new Database(area.megatestDb, { readonly: true });
  try {
    return db.prepare("SELECT state FROM mtjobs_migrations ORDER BY token").pluck().all();
  } finally {
    db.close();
  }
}

describe("a take-over", () => {
  it("makes a home of what megatest.db has, and brings home what the lost one had when it is back", async () => {
    const { area, place } = buildForTwo(temporaryDirectory());
    const before = unionAt(area);
    const o = { ...place, jobId: "migrate-1" };
    await takeOverByHand(o);
    expect(homeOf(area)).toBe(`${addresses.new}\n`);
    const there = seenFromSide(area, place.root, "new");
    expect([isClosed(there.cacheDb), isClosed(there.refDb)]).toEqual([false, false]);
    expect(migrationRow(area)).toMatchObject({ kind: "takeover", state: "switched", new_ready: 1 });
    const token = Number(migrationRow(area)?.token);
    expect(existsSync(baseFile(openArea(area.directory), token))).toBe(true);
    // The new home works without waiting for the lost one.
    await runReduce(there, { runname: "none" });

    await reconcileBoth(o);
    expect([isClosed(area.cacheDb), isClosed(area.refDb)]).toEqual([true, true]);
    assertNothingLost(before, unionAt(there), { newRecords: true, newIds: true, anyLastUpdate: true });
    expect(migrationRow(area)).toMatchObject({ state: "settled" });
    expect(historyOf(area).filter(({ jobId }) => jobId.startsWith("migrate-1"))).toHaveLength(2);
    await expect(runReduce(area, { runname: "none" })).rejects.toMatchObject({ code: "not-home" });
  });

  it("leaves what others had written to megatest.db before as it is, where the lost home has an older value", async () => {
    const { area, place } = buildForTwo(temporaryDirectory(), { unsynced: false });
    edit(area, ["area"], (db) => db.exec("UPDATE tests SET comment = 'newer' WHERE id = 2"));
    const o = { ...place, jobId: "migrate-1" };
    await takeOverByHand(o);
    await reconcileBoth(o);
    const there = seenFromSide(area, place.root, "new");
    const comments = [there.cacheDb, there.refDb, area.megatestDb].map((file) =>
      readColumn(file, "SELECT comment FROM tests WHERE id = 2"),
    );
    expect(comments).toEqual([["newer"], ["newer"], ["newer"]]);
    expect(keptVersions(area, "tests", 2, "comment")).toHaveLength(1);
  });

  it("brings home what the lost home wrote and synced while it was believed to be off", async () => {
    const { area, place } = buildForTwo(temporaryDirectory(), { unsynced: false });
    const o = { ...place, jobId: "migrate-1" };
    await takeOverByHand(o);
    for (const file of [area.cacheDb, area.refDb, area.megatestDb])
      openToWrite(file, (db) => db.exec("UPDATE tests SET comment = 'later' WHERE id = 2"));
    await reconcileBoth(o);
    const there = seenFromSide(area, place.root, "new");
    const comments = [there.cacheDb, there.refDb, area.megatestDb].map((file) =>
      readColumn(file, "SELECT comment FROM tests WHERE id = 2"),
    );
    expect(comments).toEqual([["later"], ["later"], ["later"]]);
    expect(keptVersions(area, "tests", 2, "comment")).toEqual([]);
  });

  it("leaves the lost home's cache closed, which goes a week later unless a process has it open", async () => {
    const { area, place } = buildForTwo(temporaryDirectory());
    const o = { ...place, jobId: "migrate-1" };
    const opened = openArea(area.directory);
    const weekLater = Date.now() + 7 * 86_400_000 + 60_000;
    await removeOldPairs(opened, contextOn("old", o), weekLater);
    await migrateByHand(o);
    const left = join(dirname(area.cacheDb), ".mtjobs-99-megatest.db");
    writeFileSync(left, "");
    await removeOldPairs(opened, contextOn("old", o));
    expect(existsSync(left)).toBe(false);
    await removeOldPairs(opened, contextOn("new", o), weekLater);
    expect(existsSync(area.cacheDb)).toBe(true);
    const holder = await holdOpen(area.cacheDb);
    await removeOldPairs(opened, contextOn("old", o), weekLater);
    expect(existsSync(area.cacheDb)).toBe(true);
    process.kill(holder);
    await waitFor("the holder to end", () => !existsSync(`/proc/${holder}/fd/0`));
    await removeOldPairs(opened, contextOn("old", o), weekLater);
    expect([area.cacheDb, area.refDb].map((file) => existsSync(file))).toEqual([false, false]);
  });

  it.each([
    { step: "old-cache-closed", ended: "undone" },
    { step: "pair-installed", ended: "undone" },
    { step: "old-opened", ended: "undone" },
    { step: "intent-committed", ended: "undone" },
  ] as const)(
    "ends a migration that the lost home left at $step, and brings home what that one had when it is back",
    async ({ step, ended }) => {
      const { area, place } = buildForTwo(temporaryDirectory());
      const before = unionAt(area);
      await leaveAt(step, place);
      await expect(takeOverByHand({ ...place, jobId: "migrate-2" })).rejects.toMatchObject({
        code: "locked",
      });
      letLeaseRunOut(area);
      await takeOverByHand({ ...place, jobId: "migrate-2" });
      expect(homeOf(area)).toBe(`${addresses.new}\n`);
      const there = seenFromSide(area, place.root, "new");
      expect([isClosed(there.cacheDb), isClosed(there.refDb)]).toEqual([false, false]);
      expect(statesOf(area)).toEqual([ended, "switched"]);
      expect(readdirSync(area.directory).filter((name) => name.startsWith(".homehost"))).toEqual([
        ".homehost",
      ]);

      await reconcileBoth({ ...place, jobId: "migrate-2" });
      expect(statesOf(area)).toEqual([ended, "settled"]);
      expect([isClosed(area.cacheDb), isClosed(area.refDb)]).toEqual([true, true]);
      assertNothingLost(before, unionAt(there), { newRecords: true, newIds: true, anyLastUpdate: true });
      expect(historyOf(area).map(({ jobId }) => jobId)).toEqual(["migrate-1", "migrate-2", "migrate-2.back"]);
    },
  );

  it("of a home that died before it opened its own new pair goes on from megatest.db all the same", async () => {
    const { area, place } = buildForTwo(temporaryDirectory());
    const before = unionAt(area);
    // Moved to the new host, which dies with its pair still closed: the old one takes over.
    await leaveAt("migration-switched", place);
    letLeaseRunOut(area);
    await takeOverByHand({ ...place, jobId: "migrate-2" }, "old");
    expect(homeOf(area)).toBe(`${addresses.old}\n`);
    expect(statesOf(area)).toEqual(["settled", "switched"]);
    expect([isClosed(area.cacheDb), isClosed(area.refDb)]).toEqual([false, false]);
    await reconcileBoth({ ...place, jobId: "migrate-2" });
    expect(statesOf(area)).toEqual(["settled", "settled"]);
    assertNothingLost(before, unionAt(area), { newRecords: true, newIds: true, anyLastUpdate: true });
  });

  it("sees a sign of life in megatest.db or a server's log that changed lately", () => {
    const { area } = buildForTwo(temporaryDirectory());
    const opened = openArea(area.directory);
    const hour = Date.now() / 1000 - 3600;
    utimesSync(area.megatestDb, hour, hour);
    expect(oldHomeActivity(opened)).toMatchObject({ ok: true });
    expect(oldHomeActivity(opened, hour * 1000 + 10_000)).toMatchObject({ ok: false });
    utimesSync(join(area.directory, "megatest.db"), hour + 3590, hour + 3590);
    expect(oldHomeActivity(opened)).toMatchObject({ name: "signs-of-life", ok: false });
  });

  it.each([
    ["behind this host's, for which a home at work would seem silent", 10 * 60_000, 0, false],
    ["ahead of this host's, for which a silent home would seem at work", -10 * 60_000, 6 * 60, true],
  ])("sees signs of life by the file server's clock if it is %s", async (_, byMs, agoSeconds, isSilent) => {
    const { area, place } = buildForTwo(temporaryDirectory());
    const changed = Date.now() / 1000 - agoSeconds;
    utimesSync(area.megatestDb, changed, changed);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + byMs });
    try {
      const payload = parsePayload("migrate", { v: 1, area: place.area, to: "host-new", takeover: true });
      const context = contextOn("new", { ...place, jobId: "migrate-1" });
      const { checks } = await checkTarget(payload as MigratePayload, context);
      expect(checks.find(({ name }) => name === "signs-of-life")).toMatchObject({ ok: isSilent });
    } finally {
      vi.useRealTimers();
    }
  });
});

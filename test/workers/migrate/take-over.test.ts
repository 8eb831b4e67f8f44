import { existsSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openArea } from "../../../shared/area/area.ts";
import { baseFile } from "../../../workers/migrate/migration-files.ts";
import { signsOfLife } from "../../../workers/migrate/signs-of-old-home.ts";
import { sweepClosed } from "../../../workers/migrate/sweep-closed.ts";
import { holdOpen } from "../../shared/area/file-holder.ts";
import { historyOf } from "../../support/kill.ts";
import {
  addresses,
  buildForTwo,
  contextOn,
  migrateByHand,
  seenFromSide,
  takeOverByHand,
  tendBoth,
} from "../../support/migration-hosts.ts";
import { assertNothingLost } from "../../support/oracle/assert-nothing-lost.ts";
import { runReduce } from "../../support/run-reduce.ts";
import { temporaryDirectory } from "../../support/temp-directory.ts";
import { homeOf, isClosed, migrationRow, unionAt } from "../../support/two-hosts.ts";
import { waitFor } from "../../support/wait-for.ts";

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
    // Nobody waits for the lost home: the new one works.
    await runReduce(there, { runname: "none" });

    await tendBoth(o);
    expect([isClosed(area.cacheDb), isClosed(area.refDb)]).toEqual([true, true]);
    assertNothingLost(before, unionAt(there), { newRecords: true, newIds: true, anyLastUpdate: true });
    expect(migrationRow(area)).toMatchObject({ state: "settled" });
    expect(historyOf(area).filter(({ jobId }) => jobId.startsWith("migrate-1"))).toHaveLength(2);
    await expect(runReduce(area, { runname: "none" })).rejects.toMatchObject({ code: "not-home" });
  });

  it("leaves the lost home's cache closed, which goes a week later unless a process has it open", async () => {
    const { area, place } = buildForTwo(temporaryDirectory());
    const o = { ...place, jobId: "migrate-1" };
    const opened = openArea(area.directory);
    const weekLater = Date.now() + 7 * 86_400_000 + 60_000;
    await sweepClosed(opened, contextOn("old", o), weekLater);
    await migrateByHand(o);
    await sweepClosed(opened, contextOn("old", o));
    await sweepClosed(opened, contextOn("new", o), weekLater);
    expect(existsSync(area.cacheDb)).toBe(true);
    const holder = await holdOpen(area.cacheDb);
    await sweepClosed(opened, contextOn("old", o), weekLater);
    expect(existsSync(area.cacheDb)).toBe(true);
    process.kill(holder);
    await waitFor("the holder to end", () => !existsSync(`/proc/${holder}/fd/0`));
    await sweepClosed(opened, contextOn("old", o), weekLater);
    expect([area.cacheDb, area.refDb].map((file) => existsSync(file))).toEqual([false, false]);
  });

  it("sees a sign of life in megatest.db or a server's log that changed lately", () => {
    const { area } = buildForTwo(temporaryDirectory());
    const opened = openArea(area.directory);
    const hour = Date.now() / 1000 - 3600;
    utimesSync(area.megatestDb, hour, hour);
    expect(signsOfLife(opened)).toMatchObject({ ok: true });
    expect(signsOfLife(opened, hour * 1000 + 10_000)).toMatchObject({ ok: false });
    utimesSync(join(area.directory, "megatest.db"), hour + 3590, hour + 3590);
    expect(signsOfLife(opened)).toMatchObject({ name: "signs-of-life", ok: false });
  });
});

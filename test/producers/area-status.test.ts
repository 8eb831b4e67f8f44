import { statSync } from "node:fs";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { areaStatus } from "../../producers/areas/status.ts";
import type { AreaStatus } from "../../producers/contract/area.ts";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { areaStatusText } from "../../producers/format/status.ts";
import { resolveSettings } from "../../shared/settings/settings.ts";
import { addRunIn, fingerprint, leaveHotJournal, makeCacheWal, newArea } from "../support/area.ts";
import { reduceAndKill, reduceSafely } from "../support/queue.ts";

function statusOf(area: SampleArea): Promise<AreaStatus> {
  const { host, user, cacheRoot } = area;
  return areaStatus(area.directory, {
    settings: resolveSettings({ flags: { host, user, cacheRoot } }),
    cwd: "/",
    env: {},
  });
}

describe("the status of an area", () => {
  it("tells for each side the runs, the oldest and the newest, and what a vacuum would free", async () => {
    const area = newArea({ runs: 6, inFlight: 2, unsynced: false });
    await reduceSafely(area);
    const status = await statusOf(area);
    expect(status).toMatchObject({ held: false, cacheOnlyRuns: 0, unfinishedRuns: {}, problems: [] });
    const sides = status.sides;
    expect(Object.keys(sides)).toEqual(["megatest.db", "completed-runs.db", "cache/megatest.db"]);
    expect(sides["megatest.db"]).toMatchObject({ runs: 2, oldest: { id: 5 }, newest: { id: 6 } });
    expect(sides["completed-runs.db"]).toMatchObject({ runs: 4, oldest: { id: 1 }, newest: { id: 4 } });
    expect(sides["megatest.db"]?.freeBytes).toBeGreaterThan(20_000);
    expect(sides["completed-runs.db"]?.oldest?.target.split("/")).toHaveLength(3);
    expect(areaStatusText(status, { jobs: [], automatic: [] })).toMatch(
      /completed-runs\.db .* B +4 +\w+\/\w+\/\w+\/w\S+ \(20\d\d-/,
    );
  });

  it("says that it is unknown who holds an area whose journal is hot, and rolls nothing back", async () => {
    const area = newArea({ runs: 4 });
    leaveHotJournal(area);
    const before = fingerprint(area.directory, area.cacheRoot);
    const status = await statusOf(area);
    expect(status).toMatchObject({ held: null, lease: null, runs: null, sides: { "megatest.db": null } });
    expect(status.sides["cache/megatest.db"]).toMatchObject({ runs: expect.any(Number) });
    expect(status.problems).toEqual([expect.stringContaining("hot journal")]);
    const text = areaStatusText(status, { jobs: [], automatic: [] });
    expect(text).toMatch(/^held by +unknown: /m);
    expect(text).not.toMatch(/^held by +no job$/m);
    expect(fingerprint(area.directory, area.cacheRoot)).toEqual(before);
  });

  it("tells of runs that are half moved, and of runs that only the cache has", async () => {
    const area = newArea({ runs: 4, inFlight: 0, unsynced: false });
    expect(await reduceAndKill(area, "removed-from-ref", 1)).toBe("SIGKILL");
    addRunIn(area, ["cache"], "w99.1");
    const status = await statusOf(area);
    expect(status).toMatchObject({ unfinishedRuns: { removing: 4 }, cacheOnlyRuns: 1 });
    const text = areaStatusText(status, { jobs: [], automatic: [] });
    expect(text).toMatch(/^ +4 runs half moved \(removing\); the current or the next job/m);
    expect(text).toMatch(/^ +1 run only in the cache, not synced yet$/m);
  });

  it("leaves no trace beside a cache in WAL mode, open or closed", async () => {
    const area = newArea({ runs: 4, unsynced: false });
    makeCacheWal(area);
    const closed = fingerprint(area.directory, area.cacheRoot);
    expect((await statusOf(area)).sides["cache/megatest.db"]).toMatchObject({ runs: 4 });
    expect(fingerprint(area.directory, area.cacheRoot)).toEqual(closed);
    const client = new Database(area.cacheDb);
    client.exec("UPDATE runs SET comment = 'seen' WHERE id = 1");
    const open = fingerprint(area.directory);
    expect((await statusOf(area)).sides["cache/megatest.db"]).toMatchObject({ runs: 4 });
    expect(fingerprint(area.directory)).toEqual(open);
    expect(statSync(`${area.cacheDb}-wal`).size).toBeGreaterThan(0);
    client.close();
  });

  it("tells the rest where megatest.db is in WAL mode, which it must never be", async () => {
    const area = newArea({ runs: 4, unsynced: false });
    const db = new Database(area.megatestDb);
    db.pragma("journal_mode = WAL");
    db.close();
    const before = fingerprint(area.directory, area.cacheRoot);
    const status = await statusOf(area);
    expect(status).toMatchObject({ runs: null, held: null, completedRuns: 0 });
    expect(status.problems).toEqual([expect.stringContaining("WAL mode")]);
    expect(fingerprint(area.directory, area.cacheRoot)).toEqual(before);
  });
});

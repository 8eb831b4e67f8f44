import { existsSync, readFileSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it, onTestFinished } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { changeInCacheOnly, firstTestOf } from "../area/area-traits.ts";
import { makeRefillDue, settleTimes } from "../area/edit-area.ts";
import { filesOf, newArea } from "../area/temp-area.ts";
import { waitFor } from "../area/wait-for.ts";
import { assertWritesKept } from "../oracle/assert-nothing-lost.ts";
import { unionOfRuns } from "../oracle/union.ts";
import {
  type EmulatedClient,
  type EmulatedServer,
  startMegatestClient,
  startMegatestServer,
} from "./processes.ts";

function scalar(file: string, sql: string, ...values: unknown[]): unknown {
  const db = new Database(file, { readonly: true, timeout: 10_000 });
  try {
    return db
      .prepare(sql)
      .pluck()
      .get(...values);
  } finally {
    db.close();
  }
}

async function serverOf(area: SampleArea): Promise<EmulatedServer> {
  const server = await startMegatestServer({ ...area, syncEveryMs: 20, touchEveryMs: 50, quietMs: 0 });
  onTestFinished(() => server.kill());
  return server;
}

async function clientOf(area: SampleArea, everyMs: number): Promise<EmulatedClient> {
  const client = await startMegatestClient({
    cacheDb: area.cacheDb,
    journal: join(area.directory, "..", "client.jsonl"),
    everyMs,
    target: { sysname: "ubuntu", fsname: "nfs", datapath: "none" },
    runname: "written",
    testIds: [firstTestOf(area, 12)],
  });
  onTestFinished(() => client.kill());
  return client;
}

describe("an emulated server", () => {
  it("tells that it serves in its log, touches that, and carries changes until it is stopped", async () => {
    const area = newArea();
    const server = await serverOf(area);
    const log = join(area.directory, "logs", `server-${server.pid}-host-a.log`);
    expect(readFileSync(log, "utf8")).toMatch(/^SERVER STARTED: host-a:\d+ AT \d+$/m);
    const testId = changeInCacheOnly(area, 2, "carry me");
    await server.syncedAfresh();
    expect(scalar(area.megatestDb, "SELECT comment FROM tests WHERE id = ?", testId)).toBe("carry me");
    utimesSync(log, 1, 1);
    await waitFor("a touch of the log", () => statSync(log).mtimeMs > 2000);
    await server.stop();
    expect(server.reports.map((report) => report.type)).not.toContain("failed");
  });

  it("holds a sync after it has read, and writes what it read once it goes on", async () => {
    const area = newArea({ unsynced: false });
    const server = await serverOf(area);
    await server.pauseAt("runs", "source-read");
    const db = new Database(area.cacheDb);
    db.exec("DELETE FROM runs WHERE id = 1");
    db.close();
    for (const file of [area.refDb, area.megatestDb]) {
      const other = new Database(file);
      other.exec("DELETE FROM runs WHERE id = 1");
      other.close();
    }
    server.goOn();
    await server.syncedAfresh();
    expect(scalar(area.megatestDb, "SELECT count(*) FROM runs WHERE id = 1")).toBe(1);
    expect(scalar(area.cacheDb, "SELECT count(*) FROM runs WHERE id = 1")).toBe(0);
  });

  it("killed between ref and megatest.db leaves a row that no later sync carries", async () => {
    const area = newArea({ unsynced: false });
    const server = await serverOf(area);
    await server.pauseAt("tests", "first-written");
    server.goOn();
    await server.syncedAfresh();
    const testId = changeInCacheOnly(area, 2, "half way");
    await server.pauseAt("tests", "first-written");
    await server.kill();
    settleTimes(area);
    const next = await serverOf(area);
    await next.syncedAfresh();
    expect(scalar(area.refDb, "SELECT comment FROM tests WHERE id = ?", testId)).toBe("half way");
    expect(scalar(area.megatestDb, "SELECT comment FROM tests WHERE id = ?", testId)).not.toBe("half way");
  });

  it("refills the cache as it starts where megatest.db is newer", async () => {
    const area = newArea({ unsynced: false });
    makeRefillDue(area);
    const server = await serverOf(area);
    expect(server.reports[0]).toMatchObject({ type: "started", refilled: true });
  });
});

describe("an emulated client", () => {
  it("writes until it is stopped, and every write it acknowledged is in the cache", async () => {
    const area = newArea();
    const client = await clientOf(area, 1);
    await waitFor("forty writes", () => client.acknowledged().length >= 40);
    const { writes, longestMs } = await client.stop();
    expect(client.acknowledged()).toHaveLength(writes);
    expect(longestMs).toBeGreaterThan(0);
    assertWritesKept(client.acknowledged(), unionOfRuns(filesOf(area)));
  });

  it("waits while another holds the cache, and tells how long", async () => {
    const area = newArea();
    const client = await clientOf(area, 0);
    const db = new Database(area.cacheDb, { timeout: 10_000 });
    db.exec("BEGIN EXCLUSIVE");
    const before = client.acknowledged().length;
    const released = Date.now() + 300;
    await waitFor("the lock to have been held", () => Date.now() > released);
    expect(client.acknowledged().length - before).toBeLessThanOrEqual(1);
    db.exec("COMMIT");
    db.close();
    await waitFor("the next write", () => client.acknowledged().length > before + 1);
    expect((await client.stop()).longestMs).toBeGreaterThan(200);
  });

  it("killed while it writes leaves a journal whose writes are all there", async () => {
    const area = newArea({ cacheWal: true });
    const client = await clientOf(area, 0);
    await waitFor("a hundred writes", () => client.acknowledged().length >= 100);
    await client.kill();
    expect(existsSync(area.cacheDb)).toBe(true);
    assertWritesKept(client.acknowledged(), unionOfRuns(filesOf(area)));
  });
});

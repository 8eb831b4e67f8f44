// Mostly waits: run beside others.
import { copyFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { awaitWatch } from "../../workers/migrate/steps/finish.ts";
import { assertNothingLost, assertWritesKept, temporaryDirectory, waitFor } from "../support/area.ts";
import {
  addresses,
  buildForTwo,
  closeByHand,
  contextOn,
  isClosed,
  migrationRow,
  reconcileBoth,
  seenFromSide,
  switchByHand,
  unionAt,
} from "../support/hosts.ts";
import { historyOf, startMegatestClient, startMegatestServer } from "../support/queue.ts";

/** A Megatest of an area on one of the hosts: a server that syncs all the while, and a client that writes. */
async function startMegatest(area: SampleArea, runname: string, root: string) {
  const { megatestDb, cacheDb, refDb, directory, host } = area;
  const times = { syncEveryMs: 30, quietMs: 0 };
  const server = await startMegatestServer({ megatestDb, cacheDb, refDb, directory, host, ...times });
  const target = Object.fromEntries(area.keys.map((key) => [key, "late"]));
  const journal = join(root, `${runname}.jsonl`);
  const client = await startMegatestClient({ cacheDb, journal, everyMs: 5, target, runname });
  return { server, client };
}

describe("a Megatest that never noticed that the homehost moved", () => {
  it("and made the cache anew, filled it and synced, loses nothing and overwrites nothing, and is reported", async () => {
    const root = temporaryDirectory();
    const { area, place } = buildForTwo(root);
    const before = unionAt(area);
    const o = { ...place, jobId: "migrate-1" };
    await closeByHand(o);
    await switchByHand(o);
    // A user cleans /tmp on the old host: a Megatest that believes to be at home fills a new cache from megatest.db.
    for (const name of readdirSync(area.cacheDirectory)) rmSync(join(area.cacheDirectory, name));
    for (const file of [area.cacheDb, area.refDb]) copyFileSync(area.megatestDb, file);

    const there = seenFromSide(area, root, "new");
    const home = await startMegatest(there, "of the home", root);
    const unnoticed = await startMegatest(area, "unnoticed", root);
    const both = [home.client, unnoticed.client];
    await waitFor("both to write", () => both.every((client) => client.acknowledged().length > 30));
    await Promise.all([home.server.syncedAfresh(), unnoticed.server.syncedAfresh()]);

    await reconcileBoth(o);
    expect((await unnoticed.client.next("failed")).message).toBe(`homehost moved to ${addresses.new}`);
    expect([area.cacheDb, area.refDb].map(isClosed)).toEqual([true, true]);
    await unnoticed.server.kill();
    const settled = await awaitWatch({ area: area.directory, migration: o.jobId }, contextOn("new", o));
    await home.client.stop();
    await home.server.syncedAfresh();
    await home.server.stop();

    expect(migrationRow(area)).toMatchObject({ state: "settled" });
    expect(settled.strays.merged).toBeGreaterThan(0);
    expect(historyOf(area)).toMatchObject([{ strays: settled.strays }]);
    const after = unionAt(there);
    for (const client of both) assertWritesKept(client.acknowledged(), after);
    assertNothingLost(before, after, { newRecords: true });
  });
});

import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { assertWritesKept, runsMachines } from "../support/area.ts";
import { startClient } from "./client.ts";
import { addresses, Farm, leaseS } from "./farm.ts";
import { Rounds } from "./rounds.ts";

const minute = 60_000;

vi.setConfig({ testTimeout: 25 * minute, hookTimeout: 40 * minute });

/** A server and two hosts; the tests follow one another on one area. */
describe.skipIf(!runsMachines)("areas on a real NFS server (three virtual machines)", () => {
  const farm = new Farm();
  const rounds = new Rounds(farm);

  beforeAll(async () => {
    await farm.start();
    await farm.host("hosta").sh("runuser -u megatest -- mtjobs sample /areas/samples; sync");
    rounds.before = await rounds.read();
    expect(rounds.before.records.size).toBeGreaterThan(1_000);
  });
  afterAll(() => farm.stop());

  /** Faults, and what an operator does about them. */
  const faults: Record<string, () => Promise<void>> = {
    "the homehost loses power": async () => {
      await farm.host(rounds.home).cutPower();
      await farm.host(rounds.home).boot();
      await farm.join(rounds.home);
    },
    "the server loses power": async () => {
      await farm.server.cutPower();
      await farm.server.boot();
      await farm.serve();
    },
    "the homehost's network is cut beyond the lease": async () => {
      await farm.host(rounds.home).setLink("card0", false);
      await sleep(3 * leaseS * 1_000);
      await farm.host(rounds.home).setLink("card0", true);
    },
  };

  describe.each(["vers=4.2", "vers=3"])("mounted with %s", (mount) => {
    beforeAll(async () => {
      if (farm.mount !== mount) await farm.remount(mount);
    });

    it.each(Object.entries(faults))("loses no record if %s in the middle of a job", async (fault, cause) => {
      await rounds.round(fault, cause);
    });

    it("migrates the area to the other host and back", async () => {
      for (let count = 0; count < 2; count++) {
        const { other } = rounds;
        await rounds.command(other, `migrate ${rounds.area} --to ${other} --wait --timeout 15m`);
        rounds.home = other;
        expect(await farm.server.sh(`cat ${rounds.area}/.homehost`)).toBe(addresses[other]);
        await rounds.judge("none, a migration", {}, { anyLastUpdate: true });
      }
    });

    it("moves runs out and back beside a writing client, while another host queries them all", async () => {
      const client = await startClient(farm.host(rounds.home), rounds.area);
      for (const next of ["reduce", "restore"] as const) {
        rounds.next = next;
        const jobId = await rounds.begin();
        const sql = '"SELECT count(*) AS runs FROM runs"';
        const answer = await rounds.command(rounds.other, `query ${rounds.area} --full-db ${sql} --json`);
        expect(answer).toMatch(/\b[6-9]\d\b/);
        expect(await rounds.end(jobId)).toBe("");
      }
      rounds.next = "reduce";
      const writes = await client.stop();
      expect(writes.length).toBeGreaterThan(20);
      await rounds.judge("none, beside a writing client", {}, { newRecords: true });
      rounds.before = await rounds.read();
      assertWritesKept(writes, rounds.before);
    });
  });
});

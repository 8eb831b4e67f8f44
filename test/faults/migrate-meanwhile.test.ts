import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { assertNothingLost, assertWritesKept, temporaryDirectory, waitFor } from "../support/area.ts";
import { addresses, buildForTwo, homeOf, migrationRow, seenFromSide, unionAt } from "../support/hosts.ts";
import { builtProgram, isStopped, startMegatestClient } from "../support/queue.ts";

const script = builtProgram("test/support/hosts/migrate-process");

describe("a client that opens the old cache after the last check and writes all the while", () => {
  it.each([
    { mode: "a rollback journal", cacheWal: false },
    { mode: "a write-ahead log", cacheWal: true },
  ])(
    "with $mode finds each write it was told of at the new home, and then is told why it fails",
    async ({ cacheWal }) => {
      const root = temporaryDirectory();
      const { area, place } = buildForTwo(root, { cacheWal });
      const before = unionAt(area);
      const order = JSON.stringify({ ...place, jobId: "migrate-1", cacheDb: area.cacheDb });
      const moving = spawn(process.execPath, [script, order], {
        env: { PATH: process.env.PATH, MTJOBS_FAILPOINT: "migration-begun=stop" },
        stdio: ["ignore", "ignore", "pipe"],
      });
      let stderr = "";
      moving.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
      const ended = once(moving, "close");
      await waitFor("the migration to stop", () => isStopped(moving.pid), { state: () => stderr });
      const target = Object.fromEntries(area.keys.map((key) => [key, "late"]));
      const journal = join(root, "journal.jsonl");
      const client = await startMegatestClient({
        cacheDb: area.cacheDb,
        journal,
        everyMs: 2,
        target,
        runname: "late",
      });
      moving.kill("SIGCONT");
      await ended;
      expect(moving.exitCode, stderr).toBe(0);
      const { message } = await client.next("failed");
      expect(message).toBe(`homehost moved to ${addresses.new}`);
      expect(client.acknowledged().length).toBeGreaterThan(0);
      expect([homeOf(area), migrationRow(area)?.state]).toEqual([`${addresses.new}\n`, "settled"]);
      const after = unionAt(seenFromSide(area, root, "new"));
      assertWritesKept(client.acknowledged(), after);
      assertNothingLost(before, after, { newRecords: true });
    },
  );
});

// Mostly waits: run beside others.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { decodeFailure } from "../../../shared/contract/failure.ts";
import { assertNothingLost, edit, everywhere, waitFor } from "../../support/area.ts";
import { type Hosts, homeOf, isClosed, migrationRow, onHosts, unionAt } from "../../support/hosts.ts";
import { isStopped } from "../../support/queue.ts";

// Two workers are started, and areas move.
vi.setConfig({ testTimeout: 150_000 });

/** A process that looks like a Megatest server of the area, as its home's worker sees it. */
async function startServer(area: SampleArea): Promise<ChildProcess> {
  const code = "process.stdout.write('up'); setInterval(() => {}, 1e6)";
  const child = spawn(process.execPath, ["-e", code, "--", "-server", "-"], {
    argv0: "megatest",
    stdio: ["ignore", "pipe", "ignore"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child.stdout, "data");
  const logs = join(area.directory, "logs");
  mkdirSync(logs, { recursive: true });
  writeFileSync(join(logs, `server-${child.pid}-host-a.log`), "SERVER STARTED: host-a:1 AT 5\n");
  return child;
}

const stateOf = (hosts: Hosts, id: string) => () => hosts.stage.state("host-b", id);

describe("a migration", () => {
  it("ends Megatest's server where it is told to, moves once the area is quiet or its deadline ends it, and is cancelled meanwhile", () =>
    onHosts(async (hosts) => {
      await Promise.all([hosts.start("host-a"), hosts.start("host-b")]);
      const busy = hosts.area({ now: Math.floor(Date.now() / 1000) });
      const quietFor = 3_600_000;
      const waits = await hosts.migrate(busy, "host-b", { quietFor, whenQuiet: true, deadline: 8_000 });
      const never = await hosts.migrate(busy, "host-b", { quietFor, whenQuiet: true });
      const calming = hosts.area();
      edit(calming, everywhere, (db) =>
        db.exec(`UPDATE runs SET event_time = ${Math.floor(Date.now() / 1000)} WHERE id = 1`),
      );
      // At its deadline it looks once more: quiet since then, the area moves.
      const soon = await hosts.migrate(calming, "host-b", {
        quietFor: 25_000,
        whenQuiet: true,
        deadline: 30_000,
      });
      for (const id of [soon, waits, never]) {
        // A step of some ms delays it too: it waits once it says so.
        const isLogged = async () =>
          (await hosts.stage.story("host-b", id)).some((line) => line.includes("Waiting:"));
        await waitFor("the migration to wait", isLogged, { deadline: 40_000, state: stateOf(hosts, id) });
      }
      expect(migrationRow(busy)).toBeUndefined();
      await hosts.stage.cancel("host-b", never);
      expect(decodeFailure((await hosts.end("host-b", never)).failedReason ?? "").code).toBe("cancelled");

      const served = hosts.area();
      const server = await startServer(served);
      const ended = once(server, "exit");
      const refused = await hosts.end("host-b", await hosts.migrate(served, "host-b"));
      const { code, details } = decodeFailure(refused.failedReason ?? "");
      expect([code, details?.checks]).toEqual(["not-quiescent", ["servers"]]);
      const before = unionAt(served);
      const id = await hosts.migrate(served, "host-b", { stopServers: true });
      expect((await hosts.migrated("host-b", id)).returnvalue).toMatchObject({
        outcome: "migrated",
        warnings: [
          expect.stringMatching(
            new RegExp(
              `ended Megatest server processes \\(${server.pid} on host-a\\): .*start a server on host-b: cd ${served.directory} && megatest -server -$`,
            ),
          ),
        ],
      });
      expect((await ended)[1]).toBe("SIGTERM");
      assertNothingLost(before, unionAt(hosts.seenFrom(served, "host-b")));

      expect((await hosts.migrated("host-b", soon)).returnvalue).toMatchObject({ outcome: "migrated" });
      expect(homeOf(calming)).toBe(homeOf(served));
      const late = await hosts.end("host-b", waits);
      expect(decodeFailure(late.failedReason ?? "").code).toBe("not-quiescent");
      expect([migrationRow(busy), homeOf(busy)]).toEqual([undefined, "10.9.0.1\n"]);
    }));

  it("that has closed the old cache is undone where it is cancelled", () =>
    onHosts(async (hosts) => {
      const area = hosts.area();
      const before = unionAt(area);
      const [old] = await Promise.all([hosts.start("host-a", "old-ref-closed=stop"), hosts.start("host-b")]);
      const id = await hosts.migrate(area, "host-b");
      await waitFor("the old home to stop", () => isStopped(old.child.pid), { deadline: 40_000 });
      expect(isClosed(area.cacheDb)).toBe(true);
      await hosts.stage.cancel("host-b", id);
      old.child.kill("SIGCONT");
      const { failedReason = "" } = await hosts.end("host-b", id);
      expect(["cancelled", "rolled-back"]).toContain(decodeFailure(failedReason).code);
      await hosts.settled(area, "undone", old);
      expect([isClosed(area.cacheDb), isClosed(area.refDb), homeOf(area)]).toEqual([
        false,
        false,
        "10.9.0.1\n",
      ]);
      assertNothingLost(before, unionAt(area));
    }));
});

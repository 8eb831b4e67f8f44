import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { decodeFailure } from "../../../shared/contract/failure.ts";
import { migrateResultSchema } from "../../../shared/contract/migrate-result.ts";
import type { JobsError } from "../../../shared/errors.ts";
import { startedOn } from "../../../shared/queue/started-on.ts";
import { assertNothingLost, fingerprint } from "../../support/area.ts";
import {
  type HostName,
  type Hosts,
  homeOf,
  isClosed,
  letLeaseRunOut,
  migrationRow,
  onHosts,
  unionAt,
} from "../../support/hosts.ts";
import { canStartServer, historyOf, withServer } from "../../support/queue.ts";

// Two or three workers are started, and an area moves up to twice.
vi.setConfig({ testTimeout: 150_000 });

/** The area is at home on `host` with every row, and its pair takes writes. */
function assertHome(
  hosts: Hosts,
  area: SampleArea,
  host: HostName,
  before: ReturnType<typeof unionAt>,
): void {
  const there = hosts.seenFrom(area, host);
  expect(homeOf(area)).toBe(`${there.host}\n`);
  assertNothingLost(before, unionAt(there));
  expect([isClosed(there.cacheDb), isClosed(there.refDb)]).toEqual([false, false]);
}

async function failureOf(hosts: Hosts, to: HostName, id: string): Promise<JobsError> {
  const job = await hosts.end(to, id);
  if (job.failedReason === undefined) throw new Error(JSON.stringify(job.returnvalue));
  return decodeFailure(job.failedReason);
}

describe("a planned migration", () => {
  it("makes the host that was asked for the home, with every row, and comes back into the pair it left closed", () =>
    onHosts(async (hosts) => {
      const area = hosts.area();
      const before = unionAt(area);
      await hosts.start("host-a");
      await hosts.start("host-b");
      const id = await hosts.migrate(area, "host-b");
      const { returnvalue, finishedOn = 0, progress, ...job } = await hosts.migrated("host-b", id);
      // The time that is shown is the whole one: from the first of its passes, not the last.
      const began = startedOn({ ...job, progress }) ?? 0;
      expect([job.attemptsStarted > 1, began < (job.processedOn ?? 0)]).toEqual([true, true]);
      expect(finishedOn - began).toBeGreaterThan(returnvalue.elapsedMs / 2);
      expect(progress).toMatchObject({ phase: "done", progress: 100 });
      expect(returnvalue).toMatchObject({
        job: "migrate",
        outcome: "migrated",
        state: "completed",
        from: "10.9.0.1",
        to: "10.9.0.2",
        fromHost: "host-a",
        toHost: "host-b",
        token: 1,
        source: "cache",
      });
      expect(migrateResultSchema.parse(returnvalue)).toEqual(returnvalue);
      assertHome(hosts, area, "host-b", before);
      expect([isClosed(area.cacheDb), isClosed(area.refDb)]).toEqual([true, true]);
      expect(migrationRow(area)).toMatchObject({ state: "settled", new_ready: 1 });
      expect(historyOf(area)).toMatchObject([{ jobId: id, job: "migrate", outcome: "migrated" }]);

      const again = await hosts.migrate(area, "host-b");
      expect((await hosts.migrated("host-b", again)).returnvalue).toMatchObject({
        outcome: "already-home",
        fromHost: "host-b",
      });

      // Asked of the other host's worker, which passes it on.
      const back = await hosts.stage.add("host-b", "migrate", {
        v: 1,
        area: area.directory,
        to: "host-a",
        quietFor: 0,
        now: true,
      });
      const { returnvalue: passed } = await hosts.end("host-b", back);
      expect((await hosts.migrated("host-a", passed.forwarded.jobId)).returnvalue).toMatchObject({
        outcome: "migrated",
        fromHost: "host-b",
      });
      assertHome(hosts, area, "host-a", before);
      expect(isClosed(hosts.seenFrom(area, "host-b").cacheDb)).toBe(true);
    }));

  it("is refused with its reason, and changes nothing but its own directory", () =>
    onHosts(async (hosts) => {
      const area = hosts.area();
      await hosts.start("host-a");
      await hosts.start("host-b");
      const dry = await hosts.migrate(area, "host-b", { dryRun: true });
      const marks = fingerprint(area.directory);
      const { returnvalue } = await hosts.migrated("host-b", dry);
      expect(returnvalue).toMatchObject({ dryRun: true, outcome: "migrated", token: null });
      const refusals = [
        [{ from: "host-c" }, "conflict"],
        [{ quietFor: 1e12 }, "not-quiescent"],
      ] as const;
      for (const [options, code] of refusals) {
        const error = await failureOf(
          hosts,
          "host-b",
          await hosts.migrate(area, "host-b", { ...options, dryRun: true }),
        );
        expect([error.code, error.message]).toEqual([code, error.message]);
        expect(error.details?.result).toMatchObject({
          outcome: "refused",
          state: "failed",
          token: null,
          fromHost: "host-a",
        });
      }
      const unknown = await hosts.stage.add("host-a", "migrate", {
        v: 1,
        area: area.directory,
        to: "host-x",
      });
      expect(await failureOf(hosts, "host-a", unknown)).toMatchObject({
        code: "unfit-host",
        hint: expect.stringContaining("hosts with a worker: host-a (10.9.0.1)"),
      });
      await hosts.stage.redis.hset(
        `${hosts.stage.prefix}:drained`,
        "host-b",
        JSON.stringify({ at: "", by: "" }),
      );
      const drained = await hosts.migrate(area, "host-b", { dryRun: true });
      expect((await failureOf(hosts, "host-b", drained)).message).toContain("drained");
      await hosts.stage.redis.hdel(`${hosts.stage.prefix}:drained`, "host-b");
      expect(fingerprint(area.directory)).toEqual(marks);
      writeFileSync(
        join(area.directory, "megatest.config"),
        "[fields]\nsysname TEXT\n[server]\nhomehost 10.9.0.1\n",
      );
      const pinned = await hosts.migrate(area, "host-b");
      expect((await failureOf(hosts, "host-b", pinned)).code).toBe("pinned");
      expect(migrationRow(area)).toBeUndefined();
    }));

  it("is undone where the new home cannot take the pair, and the old one goes on as before", () =>
    onHosts(async (hosts) => {
      const area = hosts.area();
      const before = unionAt(area);
      await hosts.start("host-a");
      await hosts.start("host-b", "pair-copied=error");
      const error = await failureOf(hosts, "host-b", await hosts.migrate(area, "host-b"));
      expect(error.code).toBe("rolled-back");
      expect(error.details?.result).toMatchObject({ outcome: "rolled-back", token: 1 });
      assertHome(hosts, area, "host-a", before);
      expect(migrationRow(area)).toMatchObject({ state: "undone", old_ready: 1 });
      const reduce = await hosts.stage.enqueue("host-a", area.directory, "%");
      await hosts.stage.reach("host-a", reduce, "completed");
    }));

  it.runIf(canStartServer)("goes on without the job in Redis, by the two workers' rounds", () =>
    withServer([], (url) =>
      onHosts(async (hosts) => {
        const area = hosts.area();
        const before = unionAt(area);
        const old = await hosts.start("host-a");
        const first = await hosts.start("host-b", "home-renamed=kill");
        await hosts.migrate(area, "host-b");
        expect(await first.exited).toBe("SIGKILL");
        await hosts.stage.redis.flushdb();
        letLeaseRunOut(area);
        await hosts.start("host-b");
        await hosts.settled(area, "settled", old);
        assertHome(hosts, area, "host-b", before);
      }, url),
    ),
  );

  it("of two to different hosts at once is one, and the other is refused", () =>
    onHosts(async (hosts) => {
      const area = hosts.area();
      const before = unionAt(area);
      for (const host of ["host-a", "host-b", "host-c"] as const) await hosts.start(host);
      const asked = await Promise.all(
        (["host-b", "host-c"] as const).map(async (to) => ({
          to,
          id: await hosts.migrate(area, to, { now: false }),
        })),
      );
      const ended = await Promise.all(asked.map(({ to, id }) => hosts.end(to, id)));
      const winners = asked.filter((_, index) => ended[index]?.failedReason === undefined);
      expect(winners).toHaveLength(1);
      const loser = ended.find((job) => job.failedReason !== undefined);
      expect(["conflict", "too-soon"]).toContain(decodeFailure(loser?.failedReason ?? "").code);
      assertHome(hosts, area, winners[0]?.to ?? "host-a", before);
    }));
});

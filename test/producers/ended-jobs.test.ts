import { expect, it } from "vitest";
import { EndedJobs } from "../../producers/fleet/ended-jobs.ts";
import { withSession } from "../../producers/jobs/session.ts";
import { encodeFailure } from "../../shared/contract/failure.ts";
import { JobsError } from "../../shared/errors.ts";
import { resolveSettings } from "../../shared/settings/settings.ts";
import { onQueue } from "../support/queue.ts";

const failure = (code: "cancelled" | "pinned") => encodeFailure(new JobsError(code, "it says why"));

it("jobs that ended are counted by how they ended, and each is read once", () =>
  onQueue(async (stage) => {
    const queue = stage.queue("hosta");
    /** Writes a failed job as BullMQ does. */
    const fail = async (id: string, reason: string, { data = {}, at = Date.now() } = {}) => {
      const job = { name: "reduce", failedReason: reason, data: JSON.stringify(data) };
      await stage.redis.hset(queue.toKey(id), job);
      await stage.redis.zadd(queue.toKey("failed"), at, id);
    };
    await stage.add("hosta", "reduce", {}); // the host is known by its queue
    await fail("1", failure("cancelled"));
    await fail("2", failure("pinned"));
    await fail("3", failure("pinned"), { data: { dryRun: true } });
    const flags = { redisUrl: stage.url, prefix: stage.prefix, host: "hosta" };
    await withSession(resolveSettings({ flags }), async (session) => {
      const ended = new EndedJobs(session);
      const sums = async () => {
        const [hours] = (await ended.perHour()).hosts;
        return [hours?.cancelled, hours?.failed].map((each) => each?.reduce((sum, count) => sum + count, 0));
      };
      expect(await sums()).toEqual([1, 1]);
      await stage.redis.hset(queue.toKey("1"), "failedReason", failure("pinned"));
      expect(await sums()).toEqual([1, 1]);
      // As after a retry.
      await fail("1", failure("pinned"), { at: Date.now() + 1 });
      expect(await sums()).toEqual([0, 2]);
    });
  }));

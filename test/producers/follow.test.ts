import { describe, expect, it } from "vitest";
import { followJob } from "../../producers/jobs/follow.ts";
import { openSession } from "../../producers/jobs/session.ts";
import { resolveSettings } from "../../shared/settings/settings.ts";
import { isCampaign, waitFor } from "../support/area.ts";
import { onQueue, withServer } from "../support/queue.ts";

describe("following a job", () => {
  it("outlives a silence of Redis, says so once, and gives the result afterwards", () =>
    withServer([], (url, server) =>
      onQueue(async (stage) => {
        const area = stage.area("a1", "hosta");
        await stage.worker("hosta");
        const jobId = await stage.enqueue("hosta", area, "hold");
        await stage.traced(area, "begin");
        const session = await openSession(
          resolveSettings({ flags: { redisUrl: url, prefix: stage.prefix, host: "hosta" } }),
        );
        try {
          const notes: string[] = [];
          const ending = followJob(
            session,
            { host: "hosta", jobId },
            { onNote: (sentence) => notes.push(sentence) },
          );
          server.signal("SIGSTOP");
          await waitFor("a note", () => notes.length > 0).finally(() => server.signal("SIGCONT"));
          stage.release(area);
          expect(await ending).toMatchObject({ host: "hosta", jobId, result: { state: "completed" } });
          expect(notes).toEqual([expect.stringContaining("out of reach")]);
        } finally {
          await session.close();
        }
      }, url),
    ));

  it("says that Redis has lost the job if Redis comes back without it, in plain words", () =>
    withServer([], (url, server) =>
      onQueue(async (stage) => {
        const jobId = await stage.enqueue("hosta", stage.area("a1", "hosta"), "hold");
        await stage.worker("hosta");
        const session = await openSession(
          resolveSettings({ flags: { redisUrl: url, prefix: stage.prefix, host: "hosta" } }),
        );
        try {
          const notes: string[] = [];
          const place = { host: "hosta", jobId };
          const ending = followJob(session, place, { onNote: (sentence) => notes.push(sentence) });
          const refused = expect(ending).rejects.toMatchObject({
            code: "unknown-job",
            message: `job ${jobId} is no longer in its queue: Redis was unreachable and has lost it`,
            hint: expect.stringContaining("enqueue it again"),
          });
          await server.kill();
          await waitFor("a note", () => notes.length > 0);
          await server.restart();
          await refused;
          expect(notes.join()).not.toMatch(/enableOfflineQueue|maxRetries/);
        } finally {
          await session.close();
        }
      }, url),
    ));

  it.runIf(isCampaign)("ends with no-worker when the worker dies and none takes its place", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      const { child, exited } = await stage.worker("hosta");
      const jobId = await stage.enqueue("hosta", area, "hold");
      await stage.traced(area, "begin");
      const session = await openSession(
        resolveSettings({ flags: { redisUrl: stage.url, prefix: stage.prefix, host: "hosta" } }),
      );
      try {
        child.kill("SIGKILL");
        await exited;
        const waiting = followJob(session, { host: "hosta", jobId });
        await expect(waiting).rejects.toMatchObject({ code: "no-worker", details: { host: "hosta", jobId } });
      } finally {
        await session.close();
      }
    }),
  );

  it("ends with unknown-job when the job is taken from its queue meanwhile", () =>
    onQueue(async (stage) => {
      const jobId = await stage.enqueue("hosta", stage.area("a1", "hosta"), "hold");
      const session = await openSession(
        resolveSettings({ flags: { redisUrl: stage.url, prefix: stage.prefix, host: "hosta" } }),
      );
      try {
        const waiting = followJob(session, { host: "hosta", jobId });
        await (await session.queue("hosta").getJob(jobId))?.remove();
        await expect(waiting).rejects.toMatchObject({
          code: "unknown-job",
          message: `job ${jobId} is no longer in its queue: it was removed`,
          hint: expect.stringContaining("enqueue it again"),
        });
      } finally {
        await session.close();
      }
    }));
});

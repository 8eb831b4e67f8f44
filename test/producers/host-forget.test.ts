import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { forgetHost } from "../../producers/fleet/forget-host.ts";
import { withSession } from "../../producers/jobs/session.ts";
import { setDrained } from "../../shared/queue/hosts.ts";
import { resolveSettings } from "../../shared/settings/settings.ts";
import {
  commandEnv,
  documentOf,
  endCommand,
  onQueue,
  type QueueStage,
  runCommand,
  serveCommand,
} from "../support/queue.ts";

describe("mtjobs host forget", () => {
  const forget = (stage: QueueStage, name: string) =>
    runCommand(["host", "forget", name, "--json"], {
      env: { ...commandEnv(stage), MTJOBS_HOST: "elsewhere" },
    });
  const hosts = async (stage: QueueStage) => {
    const status = await runCommand(["status", "--json"], {
      env: { ...commandEnv(stage), MTJOBS_HOST: "elsewhere" },
    });
    return (documentOf(status).hosts as { host: string }[]).map(({ host }) => host);
  };

  it("refuses a host whose worker is alive, and removes one that is gone, with its queue", () =>
    onQueue(async (stage) => {
      const worker = await serveCommand(stage);
      const alive = await forget(stage, "hosta");
      expect([alive.code, documentOf(alive)]).toMatchObject([3, { error: { code: "still-alive" } }]);
      await endCommand(worker);
      await setDrained(stage.redis, stage.prefix, "hosta", "ann@hosta");
      const area = stage.area("a1", "hosta");
      await stage.cancel("hosta", await stage.enqueue("hosta", area, "later"));
      const gone = await forget(stage, "hosta");
      expect([gone.code, documentOf(gone)]).toEqual([
        0,
        { host: "hosta", removed: ["its record", "its mark as drained", "its queue"], left: {} },
      ]);
      expect(await hosts(stage)).toEqual([]);
      expect(await stage.redis.keys(`${stage.prefix}:host.hosta:*`)).toEqual([]);
    }));

  it("leaves the queue of a host in which jobs wait, and says so", () =>
    onQueue(async (stage) => {
      await endCommand(await serveCommand(stage));
      const id = await stage.enqueue("hosta", stage.area("a1", "hosta"), "later");
      const gone = await forget(stage, "hosta");
      expect(documentOf(gone)).toEqual({ host: "hosta", removed: ["its record"], left: { waiting: 1 } });
      expect(await stage.state("hosta", id)).toBe("waiting");
      const again = await runCommand(["host", "forget", "hosta"], { env: commandEnv(stage) });
      expect(again.stdout).toBe(
        "hosta: removed nothing; its queue stays, for it holds 1 waiting (mtjobs jobs --host hosta; mtjobs cancel ID)\n",
      );
    }));

  it("loses no job that is added while it removes the queue", () =>
    onQueue(async (stage) => {
      const settings = resolveSettings({ flags: { redisUrl: stage.url, prefix: stage.prefix } });
      let kept = 0;
      for (let round = 0; round < 100; round++) {
        const host = `host${round}`;
        // An empty queue, which is known.
        await (await stage.queue(host).add("reduce", {})).remove();
        const forgotten = withSession(settings, (session) => forgetHost(session, host));
        await sleep(round / 8);
        const id = await stage.add(host, "reduce", { v: 1 });
        const { left } = await forgotten;
        expect(await stage.state(host, id)).toBe("waiting");
        kept += Object.keys(left).length;
      }
      expect(kept).toBeGreaterThan(0);
    }));

  it("says which hosts there are if there is none of that name", () =>
    onQueue(async (stage) => {
      await endCommand(await serveCommand(stage));
      const unknown = await forget(stage, "nowhere");
      expect([unknown.code, documentOf(unknown)]).toMatchObject([
        2,
        { error: { code: "usage", hint: "the hosts are hosta" } },
      ]);
    }));
});

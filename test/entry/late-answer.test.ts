import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { MtJobs } from "../../entry/library.ts";
import { canStartServer, withServer } from "../support/queue.ts";

/** A command waits for a second; the server answers a little later, and so does it the question whether it is there. */
const silentMs = 1300;

it.runIf(canStartServer)(
  "a Redis that answers too late is reported as unreachable, not as an internal error",
  () =>
    withServer([], async (url, server) => {
      const mtjobs = new MtJobs({ redisUrl: url, host: "hosta" });
      try {
        expect(await mtjobs.jobs()).toEqual([]);
        server.signal("SIGSTOP");
        const asked = mtjobs.jobs().then(
          () => "answered",
          ({ code, message }: { code: string; message: string }) => `${code}: ${message}`,
        );
        await sleep(silentMs);
        server.signal("SIGCONT");
        expect(await asked).toMatch(/^redis-unreachable: Redis at .* is out of reach \(no answer in time\)/);
      } finally {
        await mtjobs.close();
      }
    }),
);

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Job } from "bullmq";
import { describe, expect, it } from "vitest";
import { decodeFailure } from "../../../shared/contract/failure.ts";
import { waitFor } from "../../support/area.ts";
import { type HostName, homeHostOf, onHosts } from "../../support/hosts.ts";

/** Asks for a move to host-b, and lets somebody name `home` in .homehost before host-a looks at its part of it. */
async function movedMeanwhile(home: HostName, then: (job: Job, isHome: HostName) => void): Promise<void> {
  await onHosts(async (hosts) => {
    const area = hosts.area();
    for (const host of ["host-a", "host-b", "host-c"] as const) await hosts.start(host);
    const queue = hosts.stage.queue("host-a");
    await queue.pause();
    const id = await hosts.migrate(area, "host-b");
    await waitFor("host-a to be asked", async () => (await queue.getJobs()).length > 0, { deadline: 30_000 });
    writeFileSync(join(area.directory, ".homehost"), `${hosts.addressOf(home)}\n`);
    await queue.resume();
    then(await hosts.end("host-b", id), homeHostOf(area));
  });
}

describe("a migration whose area has another home by the time the old one is asked", () => {
  it("has nothing to do if that is the one it was to move to", () =>
    movedMeanwhile("host-b", ({ failedReason, returnvalue }, isHome) => {
      expect(failedReason).toBeUndefined();
      expect(returnvalue).toMatchObject({ outcome: "already-home" });
      expect(isHome).toBe("host-b");
    }));

  it("is refused for a conflict elsewhere, naming the home, and lets it be", () =>
    movedMeanwhile("host-c", ({ failedReason }, isHome) => {
      const { code, message, details } = decodeFailure(failedReason ?? "");
      expect(code).toBe("conflict");
      expect(message).toContain("host-a is not the homehost");
      expect(details).toMatchObject({ checks: ["from"] });
      expect(isHome).toBe("host-c");
    }));
});

import { expect, it } from "vitest";
import { onQueue } from "../support/queue.ts";

it("a job that another tool added with a policy and an id that is none fails once, and its worker goes on", () =>
  onQueue(async (stage) => {
    const area = stage.area("a1", "hosta");
    await stage.worker("hosta");
    const bad = await stage.add(
      "hosta",
      "reduce",
      { v: 1, area, policy: "old", runId: ["abc"] },
      { attempts: 3, backoff: 100 },
    );
    const job = await stage.reach("hosta", bad, "failed");
    expect(job.attemptsMade).toBe(1);
    const next = await stage.enqueue("hosta", area, "refuse");
    await stage.reach("hosta", next, "failed");
  }));

import { expect, test } from "vitest";
import type { Origin } from "../../../shared/contract/queue-records.ts";
import {
  type Ended,
  forgetOutcome,
  listOutcomes,
  originOf,
  writeOutcome,
} from "../../../shared/queue/outcomes.ts";
import { withRedis } from "../../support/queue.ts";

const nightly: Origin = { kind: "schedule", name: "nightly", area: "/areas/a1" };

function ended(origin: Origin, end: Partial<Ended> = {}): Ended {
  const at = new Date().toISOString();
  const job = { host: "hostA", jobId: "reduce-1", work: "w", startedAt: at, endedAt: at };
  return { ...origin, ...job, error: null, timeUp: null, ...end };
}

test("failures are counted from the last success on, and a cancelled job counts neither way", () =>
  withRedis(async (redis, prefix) => {
    const error = { code: "io", message: "the disk is gone" } as const;
    const cancelled = { code: "cancelled", message: "the job was cancelled" } as const;
    let jobs = 0;
    const failures = async (end: Partial<Ended>) => {
      await writeOutcome(redis, prefix, ended(nightly, { jobId: `reduce-${++jobs}`, ...end }));
      return (await listOutcomes(redis, prefix))[0]?.failures;
    };
    expect(await failures({ error })).toBe(1);
    expect((await listOutcomes(redis, prefix))[0]?.succeededAt).toBeNull();
    expect(await failures({ error })).toBe(2);
    expect(await failures({ error: cancelled })).toBe(2);
    expect(await failures({ endedAt: "2099-01-02T03:04:05.000Z" })).toBe(0);
    expect(await failures({ error, jobId: "reduce-1" })).toBe(1);
    const [outcome] = await listOutcomes(redis, prefix);
    expect(outcome).toMatchObject({ error, succeededAt: "2099-01-02T03:04:05.000Z", jobId: "reduce-1" });
  }));

test("a job whose end is recorded twice counts once, whether it failed or was cancelled", () =>
  withRedis(async (redis, prefix) => {
    const failures = async (jobId: string, code: "io" | "cancelled") => {
      const error = { code, message: "m" };
      for (let times = 0; times < 2; times++)
        await writeOutcome(redis, prefix, ended(nightly, { jobId, error }));
      return (await listOutcomes(redis, prefix))[0]?.failures;
    };
    expect(await failures("reduce-1", "io")).toBe(1);
    expect(await failures("reduce-2", "cancelled")).toBe(1);
    expect(await failures("reduce-3", "io")).toBe(2);
  }));

test("policies of one name are kept apart by their areas, and what asked for nothing for long is forgotten", () =>
  withRedis(async (redis, prefix) => {
    const old = (area: string): Origin => ({ kind: "policy", name: "old", area });
    await writeOutcome(redis, prefix, ended(old("/areas/a1")));
    await writeOutcome(redis, prefix, ended(old("/areas/a2")));
    await writeOutcome(redis, prefix, ended(old("/areas/a3"), { endedAt: "2020-01-01T00:00:00.000Z" }));
    await writeOutcome(redis, prefix, ended(nightly));
    const areas = async () =>
      (await listOutcomes(redis, prefix)).map(({ name, area }) => `${name} ${area}`).sort();
    expect(await areas()).toEqual(["nightly /areas/a1", "old /areas/a1", "old /areas/a2"]);
    await forgetOutcome(redis, prefix, { ...nightly, area: "whatever" });
    expect(await areas()).toEqual(["old /areas/a1", "old /areas/a2"]);
  }));

test("who asked for a job is read from its data, whatever that is", () => {
  expect(originOf({ area: "/a", policy: "old" })).toEqual({ kind: "policy", name: "old", area: "/a" });
  expect(originOf({ area: "/a", schedule: "nightly" })).toMatchObject({ kind: "schedule", name: "nightly" });
  for (const data of [null, "x", {}, { area: "/a" }, { schedule: "nightly" }])
    expect(originOf(data)).toBeUndefined();
});

import { expect, test } from "vitest";
import { clearDrained, listDrained, setDrained } from "../../../shared/queue/hosts.ts";
import { withRedis } from "../../support/queue.ts";

test("a host stays drained, as it was noted first, until somebody says otherwise", () =>
  withRedis(async (redis, prefix) => {
    expect(await listDrained(redis, prefix)).toEqual(new Map());
    await setDrained(redis, prefix, "hostA", "ann@hostA");
    await setDrained(redis, prefix, "hostA", "bob@hostB");
    const drained = await listDrained(redis, prefix);
    expect([...drained].map(([host, { by }]) => [host, by])).toEqual([["hostA", "ann@hostA"]]);
    expect(Date.parse(drained.get("hostA")?.at ?? "")).toBeGreaterThan(Date.now() - 60_000);
    expect(await clearDrained(redis, prefix, "hostA")).toBe(true);
    expect(await clearDrained(redis, prefix, "hostA")).toBe(false);
    expect((await listDrained(redis, prefix)).size).toBe(0);
  }));

import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { assertNothingLost, fingerprint, healthyArea } from "../../support/area.ts";
import { documentOf, errorCodeOf, reduceAndKill, runCommand, unionOf } from "../../support/queue.ts";

const doctor = (area: SampleArea, args: string[] = [], env: Record<string, string> = {}) =>
  runCommand(["doctor", area.directory, ...args], {
    env: {
      MTJOBS_HOST: area.host,
      MTJOBS_USER: area.user,
      MTJOBS_CACHE_ROOT: area.cacheRoot,
      MTJOBS_REDIS_URL: "redis://127.0.0.1:1",
      ...env,
    },
  });

describe("mtjobs doctor", () => {
  it("exits with 0 if nothing is wrong, needs no Redis, and repairs nothing if no job ever ran", async () => {
    const area = healthyArea();
    const before = fingerprint(area.directory, area.cacheRoot);
    const plain = await doctor(area);
    expect(plain).toMatchObject({ code: 0, stderr: "" });
    expect(plain.stdout).toContain(`${area.directory}: no problems\n`);
    const repair = await doctor(area, ["--repair", "--json"]);
    expect([repair.code, documentOf(repair)]).toMatchObject([0, { ok: true, repair: null }]);
    expect(fingerprint(area.directory, area.cacheRoot)).toEqual(before);
  });

  it("ends with 1 and the remedy after a killed job, and with 0 once it has repaired that", async () => {
    const area = healthyArea();
    const before = unionOf(area);
    expect(await reduceAndKill(area, "committed-in-cache", 1)).toBe("SIGKILL");
    const sick = await doctor(area);
    expect(sick.code).toBe(1);
    expect(sick.stdout).toMatch(/^WRONG {2}half-moved .*\n +→ run mtjobs doctor --repair, or any job$/m);
    const repaired = await doctor(area, ["--repair", "--json"]);
    expect([repaired.code, documentOf(repaired)]).toMatchObject([
      0,
      { area: area.directory, ok: true, repair: { job: "repair", state: "completed" } },
    ]);
    assertNothingLost(before, unionOf(area));
    expect((await doctor(area, ["--json"])).code).toBe(0);
  });

  it("refuses with 3 to repair on another host", async () => {
    const area = healthyArea();
    expect(await reduceAndKill(area, "removed-from-cache", 1)).toBe("SIGKILL");
    const env = { MTJOBS_HOST: "host-b", MTJOBS_ADDRESS: "10.9.9.9" };
    const refused = await doctor(area, ["--repair", "--json"], env);
    expect([refused.code, errorCodeOf(refused)]).toEqual([3, "not-home"]);
  });

  it("refuses with 2 what is no area", async () => {
    const area = healthyArea();
    const finished = await doctor({ ...area, directory: area.cacheRoot }, ["--json"]);
    expect([finished.code, errorCodeOf(finished)]).toEqual([2, "not-an-area"]);
  });
});

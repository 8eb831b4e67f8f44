import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readConfig } from "../../../shared/area/config/config.ts";
import {
  type HomePolicy,
  homePolicy,
  minimumStayMs,
  wantsArea,
} from "../../../shared/area/config/home-policy.ts";
import { errorOf, temporaryDirectory, writeFile } from "../../support/area.ts";

function policyOf(text: string): HomePolicy {
  const file = writeFile(join(temporaryDirectory(), "megatest.config"), text);
  return homePolicy(readConfig({ file, areaPath: "/areas/a1", env: {} }));
}

describe("the policy of an area's homehost", () => {
  it("is that no area moves automatically unless the config says so", () => {
    expect(policyOf("[setup]\nx y\n")).toEqual({ prefer: [], migrate: "never", quietForMs: 1_800_000 });
    expect(policyOf("[homehost]\nprefer hostA\n").migrate).toBe("never");
  });

  it("is read in the words of the config, names apart by commas or blanks", () => {
    const policy = policyOf("[homehost]\nprefer hostA, 10.0.0.2,\n   hostC\nmigrate auto\nquiet-for 2h\n");
    expect(policy).toEqual({
      prefer: ["hostA", "10.0.0.2", "hostC"],
      migrate: "auto",
      quietForMs: 7_200_000,
    });
  });

  it("lets no worker ask for an area that the config pins to a host", () => {
    expect(policyOf("[homehost]\nmigrate auto\n[server]\nhomehost hostA\n").migrate).toBe("never");
  });

  it("is refused, with its line named, where a value is none or would need a directive to be run", () => {
    const wrong = (text: string) => errorOf(() => policyOf(`[homehost]\n${text}\n`));
    expect(wrong("migrate always")).toMatchObject({
      code: "bad-config",
      message: expect.stringMatching(/migrate is "always"/),
    });
    expect(wrong("quiet-for soon")).toMatchObject({
      code: "bad-config",
      message: expect.stringMatching(/quiet-for is "soon"/),
    });
    expect(wrong("prefer host/A")).toMatchObject({
      code: "bad-config",
      message: expect.stringMatching(/prefer is "host\/A"/),
    });
    expect(wrong("prefer #{shell hostname}")).toMatchObject({ code: "bad-config" });
  });
});

describe("a worker that looks at an area", () => {
  const policy: HomePolicy = { prefer: ["hostA", "10.0.0.2"], migrate: "auto", quietForMs: 0 };
  const [a, b, c] = [
    ["hostA", "10.0.0.1"],
    ["hostB", "10.0.0.2"],
    ["hostC", "10.0.0.3"],
  ] as const;

  it("asks for it only where its host is preferred to the homehost, by name or address", () => {
    const wants = (home: readonly string[], self: readonly string[]) =>
      wantsArea(policy, home, self, undefined);
    expect([wants(c, a), wants(c, b), wants(b, a), wants(["unknown"], b)]).toEqual([true, true, true, true]);
    expect([wants(a, b), wants(a, c), wants(b, c), wants(c, ["hostD"])]).toEqual(Array(4).fill(false));
  });

  it("asks neither for one at home here already, nor for one without a homehost", () => {
    expect(wantsArea(policy, ["10.0.0.1"], a, undefined)).toBe(false);
    expect(wantsArea(policy, [], a, undefined)).toBe(false);
  });

  it("leaves an area where it is for a day after it moved, and for good where the policy is never", () => {
    expect(wantsArea(policy, c, a, minimumStayMs - 1)).toBe(false);
    expect(wantsArea(policy, c, a, minimumStayMs)).toBe(true);
    expect(wantsArea({ ...policy, migrate: "never" }, c, a, undefined)).toBe(false);
  });
});

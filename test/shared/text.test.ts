import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countText, plural } from "../../shared/text.ts";

describe("a count", () => {
  it("is written in groups of three digits, as Intl writes it", () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (count) => {
        expect(countText(count)).toBe(count.toLocaleString("en-US"));
      }),
    );
    expect([0, 999, 1_000, -1_000, 1_234_567].map(countText)).toEqual([
      "0",
      "999",
      "1,000",
      "-1,000",
      "1,234,567",
    ]);
    expect([plural(1, "run"), plural(1_200, "run")]).toEqual(["1 run", "1,200 runs"]);
  });
});

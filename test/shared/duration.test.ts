import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { JobsError } from "../../shared/errors.ts";
import { parseDuration } from "../../shared/time/duration.ts";

describe("durations", () => {
  it.each([
    ["500ms", 500],
    ["90s", 90_000],
    ["30m", 1_800_000],
    ["12h", 43_200_000],
    ["30d", 2_592_000_000],
    ["8w", 4_838_400_000],
    ["2y", 63_115_200_000],
    ["1.5h", 5_400_000],
    ["0s", 0],
  ])("read %s as %d milliseconds", (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  it.each(["", "30", "30 m", "-1s", "1yr", "1msec", "ms", "30D", "1e3s", ".5h", "1h30m", " 1h", "s", "٣s"])(
    "refuse %j with its place and the units there are",
    (text) => {
      const act = () => parseDuration(text, "--age");
      expect(act).toThrow(JobsError);
      expect(act).toThrow(
        expect.objectContaining({ code: "usage", message: expect.stringContaining("--age") }),
      );
    },
  );

  it("grow with their number in every unit", () => {
    const unit = fc.constantFrom("ms", "s", "m", "h", "d", "w", "y");
    fc.assert(
      fc.property(fc.nat(100_000), unit, (number, suffix) => {
        expect(parseDuration(`${number + 1}${suffix}`)).toBeGreaterThan(parseDuration(`${number}${suffix}`));
      }),
    );
  });
});

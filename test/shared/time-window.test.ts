import { describe, expect, it } from "vitest";
import { parsePayload } from "../../shared/contract/payload.ts";
import {
  isWithin,
  nextOpening,
  ownZone,
  parseWindow,
  parseZone,
  zonedText,
} from "../../shared/time/time-window.ts";
import { errorOf } from "../support/area.ts";

const at = (iso: string) => Date.parse(iso);
const opens = (window: string, now: string, zone: string) =>
  new Date(nextOpening(parseWindow(window), at(now), zone)).toISOString();

describe("a part of the day", () => {
  it("is written as two times, and over midnight where the second is the earlier one", () => {
    expect(parseWindow("22:00-06:00")).toEqual({ from: 1320, to: 360 });
    expect(parseWindow("00:30-24:00")).toEqual({ from: 30, to: 1440 });
    expect(parseWindow("00:00-07:05")).toEqual({ from: 0, to: 425 });
  });

  it("is refused where it is no two times, or none of the day", () => {
    for (const text of [
      "",
      "22-6",
      "22:00",
      "24:00-06:00",
      "22:60-06:00",
      "22:00 - 06:00",
      "06:00-06:00",
      "1:00-2:00",
    ])
      expect(errorOf(() => parseWindow(text, "--between"))).toMatchObject({
        code: "usage",
        message: `--between: "${text}" is not a time range`,
      });
  });

  it("names a job's member once", () => {
    const job = { v: 1, area: "/a", age: 1, between: "22-6" };
    expect(errorOf(() => parsePayload("reduce", job)).message).toMatch(
      /^reduce: between: "22-6" is not a time range/,
    );
  });

  it("holds its beginning and not its end, by the clock of the zone", () => {
    const night = parseWindow("22:00-06:00");
    const inBerlin = (iso: string) => isWithin(night, at(iso), "Europe/Berlin");
    expect(inBerlin("2026-01-10T20:59:59Z")).toBe(false);
    expect(inBerlin("2026-01-10T21:00:00Z")).toBe(true);
    expect(inBerlin("2026-01-11T04:59:59Z")).toBe(true);
    expect(inBerlin("2026-01-11T05:00:00Z")).toBe(false);
    expect(inBerlin("2026-07-10T20:00:00Z")).toBe(true);
    expect(isWithin(parseWindow("05:30-06:00"), at("2026-01-10T00:00:00Z"), "Asia/Kolkata")).toBe(true);
  });

  it("is told by the wall clock of its zone, in winter and in summer", () => {
    expect(zonedText(Date.parse("2026-01-10T21:05:00Z"), "Europe/Berlin")).toBe(
      "2026-01-10 22:05 Europe/Berlin",
    );
    expect(zonedText(Date.parse("2026-07-10T22:05:00Z"), "Europe/Berlin")).toBe(
      "2026-07-11 00:05 Europe/Berlin",
    );
    expect(zonedText(Date.parse("2026-07-10T22:05:00Z"), "UTC")).toBe("2026-07-10 22:05 UTC");
  });

  it("opens next at its beginning, in winter and in summer, and at once where it is open", () => {
    expect(opens("22:00-06:00", "2026-01-10T12:00:30Z", "Europe/Berlin")).toBe("2026-01-10T21:00:00.000Z");
    expect(opens("22:00-06:00", "2026-07-10T12:00:30Z", "Europe/Berlin")).toBe("2026-07-10T20:00:00.000Z");
    expect(opens("22:00-06:00", "2026-01-10T23:00:30Z", "Europe/Berlin")).toBe("2026-01-10T23:00:30.000Z");
  });

  it("opens on the day the clocks are put forward when the hour left out is over, or a day later", () => {
    // On 29 March 2026 the clocks of Berlin go from 02:00 to 03:00, at 01:00 UTC.
    expect(opens("02:30-04:00", "2026-03-28T23:00:00Z", "Europe/Berlin")).toBe("2026-03-29T01:00:00.000Z");
    expect(opens("02:10-02:50", "2026-03-28T23:00:00Z", "Europe/Berlin")).toBe("2026-03-30T00:10:00.000Z");
  });

  it("is open in both of the hours that come twice when the clocks are put back", () => {
    // On 25 October 2026 the clocks of Berlin go from 03:00 to 02:00, at 01:00 UTC.
    const window = parseWindow("02:00-03:00");
    const open = ["00:00", "00:59", "01:00", "01:59", "02:00"].map((time) =>
      isWithin(window, at(`2026-10-25T${time}:00Z`), "Europe/Berlin"),
    );
    expect(open).toEqual([true, true, true, true, false]);
  });
});

describe("a time zone", () => {
  it("is taken by the names of the tz database, this process's own among them, and no other", () => {
    expect(parseZone("Europe/Berlin")).toBe("Europe/Berlin");
    expect(parseZone(ownZone())).toBe(ownZone());
    expect(errorOf(() => parseZone("Europe/Nowhere", "--tz"))).toMatchObject({
      code: "usage",
      message: '--tz: "Europe/Nowhere" is not a time zone',
    });
  });
});

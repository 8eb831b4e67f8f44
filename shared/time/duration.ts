import ms, { type StringValue } from "ms";
import { JobsError } from "../errors.ts";

/** `500ms`, `90s`, `30m`, `12h`, `30d`, `8w`, `2y` (a year is 365.25 days) */
export const durationPattern = /^\d+(\.\d+)?(ms|s|m|h|d|w|y)$/;

/** Examples, for error messages. */
export const durationExamples = "500ms, 90s, 30m, 12h, 30d, 8w or 2y";

/** Parses a duration that `durationPattern` matches. Returns milliseconds. @throws {JobsError} `usage` */
export function parseDuration(text: string, what = "duration"): number {
  const value = durationPattern.test(text) ? ms(text as StringValue) : undefined;
  if (value === undefined || !Number.isFinite(value)) {
    throw new JobsError("usage", `${what}: "${text}" is not a duration`, {
      hint: `write a number with a unit: ${durationExamples}`,
    });
  }
  return value;
}

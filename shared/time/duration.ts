import ms, { type StringValue } from "ms";
import { JobsError } from "../errors.ts";

/** Parses a duration such as `500ms`, `90s`, `30m`, `12h`, `30d`, `8w`. Returns milliseconds. */
export function parseDuration(text: string, what = "duration"): number {
  const value = /^\d+(\.\d+)?(ms|s|m|h|d|w)$/.test(text) ? ms(text as StringValue) : undefined;
  if (value === undefined || !Number.isFinite(value)) {
    throw new JobsError("usage", `${what}: "${text}" is not a duration`, {
      hint: "write a number with a unit: 500ms, 90s, 30m, 12h, 30d or 8w",
    });
  }
  return value;
}

import ms from "ms";
import { parseDuration } from "../../shared/duration.ts";
import { JobsError } from "../../shared/errors.ts";

/** Reads an option's value as a duration, to milliseconds; `most` of them at most. */
export function duration(option: string, most = Number.POSITIVE_INFINITY): (text: string) => number {
  return (text) => {
    const value = parseDuration(text, option);
    if (value <= most) return value;
    throw new JobsError("usage", `${option}: "${text}" is longer than ${ms(most)}`);
  };
}

/** Reads an option's value as a whole number of at least `least`. */
export function wholeNumber(option: string, least: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(value) && value >= least) return value;
    throw new JobsError("usage", `${option}: "${text}" is not a whole number of at least ${least}`);
  };
}

/** Reads a pattern. An empty one, as an unset shell variable leaves it, must not pass for "all" nor end as a riddle. */
export function pattern(option: string): (text: string) => string {
  return (text) => {
    if (text !== "") return text;
    throw new JobsError("usage", `${option}: the pattern is empty`, {
      hint: `leave ${option} out, or write % for all`,
    });
  };
}

/** Reads a time, which a job could not do without, as a duration of at least a millisecond. */
export function someTime(option: string): (text: string) => number {
  const read = duration(option);
  return (text) => {
    const value = read(text);
    if (value > 0) return value;
    throw new JobsError("usage", `${option}: "${text}" is no time at all`);
  };
}

/** Reads one word out of a few. */
export function oneOf(option: string, words: readonly string[]): (text: string) => string {
  return (text) => {
    if (words.includes(text)) return text;
    throw new JobsError("usage", `${option}: "${text}" is none of ${words.join(", ")}`);
  };
}

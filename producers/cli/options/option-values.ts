import { statSync } from "node:fs";
import ms from "ms";
import { JobsError } from "../../../shared/errors.ts";
import { parseDuration } from "../../../shared/time/duration.ts";
import { areaPath } from "../../areas/area-path.ts";

/** Returns a parser for a duration, in milliseconds, of at most `most`. */
export function duration(option: string, most = Number.POSITIVE_INFINITY): (text: string) => number {
  return (text) => {
    const value = parseDuration(text, option);
    if (value <= most) return value;
    throw new JobsError("usage", `${option}: "${text}" is longer than ${ms(most)}`);
  };
}

export function wholeNumber(option: string, least: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(value) && value >= least) return value;
    throw new JobsError("usage", `${option}: "${text}" is not a whole number of at least ${least}`);
  };
}

/**
 * Returns a parser for a pattern. It rejects an empty one, which an unset shell variable leaves, because it must
 * not mean "all".
 */
export function pattern(option: string): (text: string) => string {
  return (text) => {
    if (text !== "") return text;
    throw new JobsError("usage", `${option}: the pattern is empty`, {
      hint: `remove ${option}, or write % for all`,
    });
  };
}

/** Returns a parser for a duration of at least a millisecond. */
export function someTime(option: string): (text: string) => number {
  const read = duration(option);
  return (text) => {
    const value = read(text);
    if (value > 0) return value;
    throw new JobsError("usage", `${option}: "${text}" must be longer than 0`);
  };
}

export function oneOf(option: string, words: readonly string[]): (text: string) => string {
  return (text) => {
    if (words.includes(text)) return text;
    throw new JobsError("usage", `${option}: "${text}" is not one of ${words.join(", ")}`);
  };
}

/** Splits the positional arguments when AREA is optional: a single argument is the area if it is a directory. */
export function areaAndMore(
  [first, second]: readonly (string | undefined)[],
  cwd: string,
): { area: string; more: string | undefined } {
  if (first === undefined) return { area: cwd, more: undefined };
  const path = areaPath(cwd, first);
  if (second !== undefined) return { area: path, more: second };
  const isDirectory = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  return isDirectory ? { area: path, more: undefined } : { area: cwd, more: first };
}

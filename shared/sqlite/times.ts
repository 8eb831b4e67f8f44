/**
 * What stands for a time that is no number of seconds since 1970, such as ISO text or milliseconds: later than any other, so
 * that it makes nothing old and no test dead. Beyond what a date can hold.
 */
const oddTime = 9_000_000_000_000;

/** Seconds since 1970 up to the year 5138; milliseconds of any time since 1973 are more. */
export const lastPlausible = 99_999_999_999;

/** SQL: there is a time, and it is none in seconds. A number that an old schema keeps as text is one. */
export const isOddTime = (value: string) =>
  `(${value} IS NOT NULL AND ${value} <> '' AND (CAST(${value} AS INTEGER) > ${lastPlausible}
    OR typeof(${value}) NOT IN ('integer', 'real') AND (typeof(${value}) <> 'text' OR ${value} GLOB '*[^0-9.]*')))`;

/** SQL: the `event_time` of a row as a literal, cut short, to tell it to people. */
export const shownTime = (alias: string) => `substr(quote(${alias}.event_time), 1, 60)`;

/** The same of what begins as a number does: a word, or bytes, are no time at all to who looks for signs of life alone. */
const isOddNumber = (value: string) => `(${isOddTime(value)} AND CAST(${value} AS INTEGER) <> 0)`;

/** SQL: a time as seconds since 1970; 0 where there is none, `oddTime` where it is another kind of time. */
export const seconds = (value: string, isOdd = isOddTime) =>
  `CASE WHEN ${isOdd(value)} THEN ${oddTime} ELSE coalesce(CAST(${value} AS INTEGER), 0) END`;

/** SQL: the last sign of life of a test. */
export const lifeOf = (alias: string, isOdd = isOddTime) =>
  `${seconds(`${alias}.event_time`, isOdd)} + min(${lastPlausible}, max(0, coalesce(CAST(${alias}.run_duration AS INTEGER), 0)))`;

/** Both, for who holds up a whole area by them: what is no number, nor begins as one, is no time. */
export const numericSeconds = (value: string) => seconds(value, isOddNumber);
export const numericLifeOf = (alias: string) => lifeOf(alias, isOddNumber);

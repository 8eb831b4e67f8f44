/**
 * Stands for a time that is not in seconds since 1970, such as ISO text. Later than any other, so that it makes
 * nothing old and no test dead.
 */
const oddTime = 9_000_000_000_000;

/** The year 5138; milliseconds since 1973 are larger. */
export const lastPlausible = 99_999_999_999;

/**
 * SQL: true for each value whose `seconds` is above `bound`, a number, and for any text; one comparison, which spares a
 * scan the rest. Without affinity, as the plus sign makes it, text is larger than a number.
 */
export const mayExceed = (value: string, bound: string) => `+${value} > ${bound}`;

/** SQL: a time that is not in seconds. A number stored as text is. */
export const isOddTime = (value: string) =>
  `((${mayExceed(value, String(lastPlausible))}) IS TRUE AND ${value} <> '' AND (CAST(${value} AS INTEGER) > ${lastPlausible}
    OR typeof(${value}) NOT IN ('integer', 'real') AND (typeof(${value}) <> 'text' OR ${value} GLOB '*[^0-9.]*')))`;

/** SQL: truncated, for messages. */
export const shownTime = (alias: string) => `substr(quote(${alias}.event_time), 1, 60)`;

/** SQL: only if it begins like a number. */
const isOddNumber = (value: string) => `(${isOddTime(value)} AND CAST(${value} AS INTEGER) <> 0)`;

/** SQL: seconds since 1970; 0 if there is none, `oddTime` for another kind of time. */
export const seconds = (value: string, isOdd = isOddTime) =>
  `CASE WHEN ${isOdd(value)} THEN ${oddTime} ELSE coalesce(CAST(${value} AS INTEGER), 0) END`;

export const lifeOf = (alias: string, isOdd = isOddTime) =>
  `${seconds(`${alias}.event_time`, isOdd)} + min(${lastPlausible}, max(0, coalesce(CAST(${alias}.run_duration AS INTEGER), 0)))`;

/** Variants for checks that block a whole area: values that do not begin like a number count as no time. */
export const numericSeconds = (value: string) => seconds(value, isOddNumber);
export const numericLifeOf = (alias: string) => lifeOf(alias, isOddNumber);
